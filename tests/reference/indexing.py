"""Plain twins of taking elements by their places: one tap, or one element, after the other."""

import numpy as np


def take(x, rows, row_weight, index, weight, fill):
    """y of x (n, h, w, c), by places (oh, taps) and (ow, taps); rows or weights may be None."""
    n, h, w, c = x.shape
    rows = np.arange(h)[:, None] if rows is None else rows
    y = np.zeros((n, len(rows), len(index), c))
    single = rows.shape[1] == index.shape[1] == 1 and row_weight is None and weight is None
    for i, j in np.ndindex(len(rows), len(index)):
        for a, b in np.ndindex(rows.shape[1], index.shape[1]):
            r, k = rows[i, a], index[j, b]
            scale = 1.0 if row_weight is None else float(row_weight[i, a])
            scale *= 1.0 if weight is None else float(weight[j, b])
            if 0 <= r < h and 0 <= k < w:
                y[:, i, j] += scale * x[:, r, k]
            elif single:
                y[:, i, j] = fill
    return y


def take_backward(dy, index, weight, rows, skip):
    """dx (outer, rows, inner) of dy (outer, places, inner), by places (places, taps)."""
    dx = np.zeros((dy.shape[0], rows, dy.shape[2]))
    for k, t in np.ndindex(index.shape):
        place = index[k, t]
        if 0 <= place < rows and place != skip:
            dx[:, place] += (1.0 if weight is None else float(weight[k, t])) * dy[:, k]
    return dx


def gather(x, index):
    """y[o, k, i] = x[o, index[o, k, i], i]."""
    y = np.zeros(index.shape, x.dtype)
    for o, k, i in np.ndindex(index.shape):
        if 0 <= index[o, k, i] < x.shape[1]:
            y[o, k, i] = x[o, index[o, k, i], i]
    return y


def gather_backward(dy, index, rows):
    """dx[o, index[o, k, i], i] += dy[o, k, i]."""
    dx = np.zeros((dy.shape[0], rows, dy.shape[2]))
    for o, k, i in np.ndindex(index.shape):
        if 0 <= index[o, k, i] < rows:
            dx[o, index[o, k, i], i] += dy[o, k, i]
    return dx


def places(a, b, size, stride):
    """(a, from the end if negative) * stride + b; -1 where a is outside or b negative."""
    a, b = np.broadcast_arrays(a, b)
    outside = (a < -size) | (a >= size) | (b < 0)
    return np.where(outside, -1, np.where(a < 0, a + size, a) * stride + b)

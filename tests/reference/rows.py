"""Plain float64 twins of updates by rows."""

import numpy as np


def row_sums(dy, index, count, left_out):
    """(sums, rows): the gradient of each row that occurs, in ascending order, then 0 and -1."""
    sums, rows = np.zeros(dy.shape), np.full(len(index), -1)
    used = sorted({int(row) for row in index if 0 <= row < count and row != left_out})
    for place, row in enumerate(used):
        rows[place] = row
        sums[place] = dy[np.asarray(index) == row].sum(axis=0)
    return sums, rows


def sgd_rows(scale, limit, lr, weight_decay, w, sums, rows):
    """The table after SGD's step."""
    gradient = np.zeros(w.shape)
    for row, values in zip(rows, sums, strict=True):
        if row >= 0:
            gradient[row] = np.clip(scale * values, -limit, limit)
    return w - lr * (gradient + weight_decay * w)

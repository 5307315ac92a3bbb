"""Pooling of NHWC images as plain loops over windows, in float64."""

import numpy as np


def _positions(out, k, stride, pad, dilation, size):
    """The (index in window, input position) pairs inside the input."""
    start = out * stride - pad
    return [(i, start + i * dilation) for i in range(k) if 0 <= start + i * dilation < size]


def max_pool(x, out, kernel, stride, pad, dilation):
    """y and uint8 offsets: the first winner in window order; a NaN wins; padding never does."""
    n, h, w, c = x.shape
    y = np.full((n, *out, c), -np.inf)
    offsets = np.zeros((n, *out, c), np.uint8)
    for oy in range(out[0]):
        for ox in range(out[1]):
            elements = [(ky * kernel[1] + kx, x[:, iy, ix].astype(np.float64))
                        for ky, iy in _positions(oy, kernel[0], stride[0], pad[0], dilation[0], h)
                        for kx, ix in _positions(ox, kernel[1], stride[1], pad[1], dilation[1], w)]
            for count, (offset, value) in enumerate(elements):
                best = y[:, oy, ox]
                take = (value > best) | (np.isnan(value) & ~np.isnan(best)) | (count == 0)
                y[:, oy, ox] = np.where(take, value, best)
                offsets[:, oy, ox] = np.where(take, offset, offsets[:, oy, ox])
    return y, offsets


def max_pool_grad(dy, offsets, size, kernel, stride, pad, dilation):
    """dx[n, *size, c]: dy added where each window's winner is."""
    n, _, _, c = dy.shape
    dx = np.zeros((n, *size, c))
    for i, oy, ox, j in np.ndindex(dy.shape):
        ky, kx = divmod(int(offsets[i, oy, ox, j]), kernel[1])
        iy = oy * stride[0] - pad[0] + ky * dilation[0]
        ix = ox * stride[1] - pad[1] + kx * dilation[1]
        dx[i, iy, ix, j] += dy[i, oy, ox, j]
    return dx


def _average_window(out, k, stride, pad, size):
    """First and end inside the input, and the length of the window in the padded input."""
    start = out * stride - pad[0]
    end = min(start + k, size + pad[1])
    return max(start, 0), min(end, size), end - start


def average_windows(size, out, kernel, stride, pad, count_include_pad, divisor_override):
    """((oy, ox), (rows, columns), divisor) of each output; pad: ((top, bottom), (left, right))."""
    for oy, ox in np.ndindex(*out):
        y0, y1, tall = _average_window(oy, kernel[0], stride[0], pad[0], size[0])
        x0, x1, wide = _average_window(ox, kernel[1], stride[1], pad[1], size[1])
        if y0 >= y1 or x0 >= x1:
            continue
        inside = (y1 - y0) * (x1 - x0)
        divisor = divisor_override or (tall * wide if count_include_pad else inside)
        yield (oy, ox), (slice(y0, y1), slice(x0, x1)), divisor


def adaptive_windows(size, out):
    """As average_windows, for bins floor(i * size / out) .. ceil((i + 1) * size / out)."""
    for oy, ox in np.ndindex(*out):
        (y0, y1), (x0, x1) = (
            (i * s // o, -(-(i + 1) * s // o)) for i, s, o in zip((oy, ox), size, out, strict=True))
        yield (oy, ox), (slice(y0, y1), slice(x0, x1)), (y1 - y0) * (x1 - x0)


def average(x, out, windows):
    y = np.zeros((x.shape[0], *out, x.shape[3]))
    for (oy, ox), (rows, columns), divisor in windows:
        y[:, oy, ox] = x[:, rows, columns].astype(np.float64).sum((1, 2)) / divisor
    return y


def average_grad(dy, size, windows):
    dx = np.zeros((dy.shape[0], *size, dy.shape[3]))
    for (oy, ox), (rows, columns), divisor in windows:
        dx[:, rows, columns] += dy[:, oy, ox][:, None, None].astype(np.float64) / divisor
    return dx


def max_places(x, out, axes):
    """y and places; axes: for rows and columns, the inputs in each window."""
    n, _, w, c = x.shape
    y, places = np.full((n, *out, c), -np.inf), np.zeros((n, *out, c), np.int64)
    for i, oy, ox, j in np.ndindex(y.shape):
        window = [(row, column) for row in axes[0][oy] for column in axes[1][ox]]
        for count, (row, column) in enumerate(window):
            value, best = x[i, row, column, j], y[i, oy, ox, j]
            if count == 0 or value > best or (np.isnan(value) and not np.isnan(best)):
                y[i, oy, ox, j], places[i, oy, ox, j] = value, row * w + column
    return y, places


def window_axis(size, out, kernel, stride, pad, dilation):
    """The inputs in each window along an axis; kernel 0: in each bin of adaptive pooling."""
    if kernel:
        return [[place for _, place in _positions(o, kernel, stride, pad, dilation, size)]
                for o in range(out)]
    return [range(o * size // out, -(-(o + 1) * size // out)) for o in range(out)]


def add_at_places(y, places, many):
    """x[n, many, c]: y added at its places."""
    x = np.zeros((y.shape[0], many, y.shape[2]))
    for i, p, j in np.ndindex(y.shape):
        if 0 <= places[i, p, j] < many:
            x[i, places[i, p, j], j] += y[i, p, j]
    return x


def put_at_places(y, places, many):
    """x[n, many, c]: y written to its places, one after the other."""
    x = np.zeros((y.shape[0], many, y.shape[2]))
    for i, p, j in np.ndindex(y.shape):
        if 0 <= places[i, p, j] < many:
            x[i, places[i, p, j], j] = y[i, p, j]
    return x


def read_at_places(x, places):
    """y[n, few, c]: x at its places, 0 outside."""
    y = np.zeros(places.shape)
    for i, p, j in np.ndindex(places.shape):
        if 0 <= places[i, p, j] < x.shape[1]:
            y[i, p, j] = x[i, places[i, p, j], j]
    return y

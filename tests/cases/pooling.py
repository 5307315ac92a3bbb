"""Max, average and adaptive average pooling; twins are loops over windows."""

import math
from itertools import product

import numpy as np

import fastnn as fn
from tests.cases.case import Case, few


def _two(value):
    return (value, value) if isinstance(value, int) else value


def _count(size, kernel, stride, pad, dilation, ceil_mode):
    reach = dilation * (kernel - 1) + 1
    count = (size + 2 * pad - reach) / stride
    count = (math.ceil(count) if ceil_mode else math.floor(count)) + 1
    return count - (ceil_mode and (count - 1) * stride >= size + pad)


def _windows(size, kernel, stride, pad, dilation, ceil_mode):
    """For each output along an axis, the places that its window reads, in order."""
    for i in range(_count(size, kernel, stride, pad, dilation, ceil_mode)):
        start = i * stride - pad
        yield [start + k * dilation for k in range(kernel) if 0 <= start + k * dilation < size]


def _max_windows(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    kernel, stride = _two(kernel_size), _two(stride or kernel_size)
    axes = [list(_windows(x.shape[2 + i], kernel[i], stride[i], _two(padding)[i],
                          _two(dilation)[i], ceil_mode)) for i in (0, 1)]
    for (i, rows), (j, columns) in product(enumerate(axes[0]), enumerate(axes[1])):
        yield i, j, list(product(rows, columns))


def _max_twin(x, *args, **kwargs):
    windows = list(_max_windows(x, *args, **kwargs))
    y = np.empty((*x.shape[:2], windows[-1][0] + 1, windows[-1][1] + 1))
    for i, j, places in windows:
        y[:, :, i, j] = np.max([x[:, :, r, c] for r, c in places], axis=0)
    return y


def _first_winner(dy, x, *args, **kwargs):
    """The gradient of max-pooling: all of dy to the first winner in the window's order."""
    dx = np.zeros_like(x)
    for i, j, places in _max_windows(x, *args, **kwargs):
        values = np.array([x[:, :, r, c] for r, c in places])
        for n, channel in np.ndindex(*x.shape[:2]):
            r, c = places[int(values[:, n, channel].argmax())]
            dx[n, channel, r, c] += dy[n, channel, i, j]
    return (dx,)


def _max(name, shape, *args, **kwargs):
    return Case(f"max_pool2d {name}", lambda x: fn.max_pool2d(x, *args, **kwargs),
                lambda x: _max_twin(x, *args, **kwargs), (shape,))


def _max_ties(name, shape, *args, **kwargs):
    return Case(f"max_pool2d {name}, ties", lambda x: fn.max_pool2d(x, *args, **kwargs),
                lambda x: _max_twin(x, *args, **kwargs), (few(*shape),),
                gradient=lambda dy, x: _first_winner(dy, x, *args, **kwargs))


def _avg_twin(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
              divisor_override=None):
    kernel, stride, pad = _two(kernel_size), _two(stride or kernel_size), _two(padding)
    counts = [_count(x.shape[2 + i], kernel[i], stride[i], pad[i], 1, ceil_mode) for i in (0, 1)]
    y = np.empty((*x.shape[:2], *counts))
    for i, j in np.ndindex(*counts):
        start = i * stride[0] - pad[0], j * stride[1] - pad[1]
        end = [min(start[a] + kernel[a], x.shape[2 + a] + pad[a]) for a in (0, 1)]
        window = x[:, :, max(start[0], 0):max(end[0], 0), max(start[1], 0):max(end[1], 0)]
        padded = (end[0] - start[0]) * (end[1] - start[1])
        inside = window.shape[2] * window.shape[3]
        divisor = divisor_override or (padded if count_include_pad else inside)
        y[:, :, i, j] = window.sum((2, 3)) / divisor
    return y


def _avg(name, shape, *args, **kwargs):
    return Case(f"avg_pool2d {name}", lambda x: fn.avg_pool2d(x, *args, **kwargs),
                lambda x: _avg_twin(x, *args, **kwargs), (shape,))


def _adaptive_twin(x, size):
    height, width = x.shape[2:]
    oh, ow = (size, size) if isinstance(size, int) else (size[0] or height, size[1] or width)
    y = np.empty((*x.shape[:2], oh, ow))
    for i, j in np.ndindex(oh, ow):
        y[:, :, i, j] = x[:, :, i * height // oh:-(-(i + 1) * height // oh),
                          j * width // ow:-(-(j + 1) * width // ow)].mean((2, 3))
    return y


def _adaptive(shape, size):
    return Case(f"adaptive_avg_pool2d {shape[2:]} to {size}",
                lambda x: fn.adaptive_avg_pool2d(x, size), lambda x: _adaptive_twin(x, size),
                (shape,))


CASES = [
    _max("2", (2, 3, 6, 8), 2),
    _max("2, odd image, 17 channels", (1, 17, 5, 7), 2),
    _max("overlap", (2, 3, 7, 9), 3, stride=2),
    _max("3 stride 2 padding 1", (2, 3, 7, 8), 3, stride=2, padding=1),
    _max("3 stride 1 padding 1", (1, 5, 5, 6), 3, stride=1, padding=1),
    _max("by axis", (2, 3, 7, 8), (3, 2), stride=(2, 1), padding=(1, 0)),
    _max("dilation 2", (2, 3, 8, 9), 3, stride=2, dilation=2),
    _max("ceil_mode", (2, 3, 6, 8), 3, stride=2, ceil_mode=True),
    _max("ceil_mode with padding", (1, 3, 7, 8), 2, stride=3, padding=1, ceil_mode=True),
    _max("stride with gaps", (1, 3, 9, 8), 2, stride=3),
    _max("whole image", (2, 3, 4, 5), (4, 5)),
    _max_ties("2", (2, 3, 6, 8), 2),
    _max_ties("overlap", (2, 5, 7, 9), 3, stride=2, padding=1),
    _max_ties("dilation, ceil_mode", (2, 3, 8, 9), 2, stride=2, dilation=3, ceil_mode=True),
    Case("max_pool2d, large", lambda x: fn.max_pool2d(x, 2), lambda x: _max_twin(x, 2),
         ((8, 24, 20, 22),)),
    _avg("2", (2, 3, 6, 8), 2),
    _avg("overlap with padding", (2, 3, 7, 8), 3, stride=2, padding=1),
    _avg("without counting padding", (2, 3, 7, 8), 3, stride=2, padding=1,
         count_include_pad=False),
    _avg("ceil_mode", (2, 3, 6, 8), 3, stride=2, ceil_mode=True),
    _avg("ceil_mode with padding", (1, 3, 7, 8), 3, stride=2, padding=1, ceil_mode=True),
    _avg("ceil_mode without counting padding", (1, 3, 6, 8), 3, stride=2, padding=1,
         ceil_mode=True, count_include_pad=False),
    _avg("divisor_override", (2, 3, 5, 6), (2, 3), divisor_override=5),
    _avg("17 channels, 3 stride 1", (1, 17, 4, 5), 3, stride=1),
    _adaptive((2, 3, 6, 8), 1),
    _adaptive((2, 3, 7, 5), (3, 2)),
    _adaptive((1, 17, 5, 7), (4, 7)),
    _adaptive((2, 3, 3, 4), (5, 6)),
    _adaptive((2, 3, 6, 7), (None, 3)),
]

"""Max, average and adaptive average pooling; twins are loops over windows."""

import math
from itertools import product

import numpy as np

import fastnn as fn
from fastnn.autodiff import gradients
from tests.cases.case import Case, between, few


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


def _places_twin(x, *args, **kwargs):
    """Places of the first winners, by windows."""
    windows = list(_max_windows(x, *args, **kwargs))
    places = np.empty((*x.shape[:2], windows[-1][0] + 1, windows[-1][1] + 1), np.int64)
    for i, j, inside in windows:
        numbers = np.array([r * x.shape[3] + c for r, c in inside])
        places[:, :, i, j] = numbers[np.argmax([x[:, :, r, c] for r, c in inside], axis=0)]
    return places


def _weighed(result):
    """Values and places as one: places are whole numbers that floats hold."""
    values, places = result
    return values * 2.0 + places.float() / 64 if hasattr(places, "node") else \
        values * 2.0 + places / 64


def _both(name, shape, *args, **kwargs):
    return Case(f"max_pool2d with places, {name}",
                lambda x: _weighed(fn.max_pool2d(x, *args, **kwargs, return_indices=True)),
                lambda x: _weighed((_max_twin(x, *args, **kwargs),
                                    _places_twin(x, *args, **kwargs))), (shape,))


def _bins(size, out):
    return [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def _adaptive_max_twin(x, size):
    y, places = np.empty((*x.shape[:2], *size)), np.empty((*x.shape[:2], *size), np.int64)
    for (i, rows), (j, columns) in product(*(enumerate(_bins(x.shape[2 + a], size[a]))
                                             for a in (0, 1))):
        inside = list(product(rows, columns))
        values = np.array([x[:, :, r, c] for r, c in inside])
        numbers = np.array([r * x.shape[3] + c for r, c in inside])
        y[:, :, i, j], places[:, :, i, j] = values.max(0), numbers[values.argmax(0)]
    return y, places


def _adaptive_max(shape, size):
    return Case(f"adaptive_max_pool2d {shape[2:]} to {size}",
                lambda x: _weighed(fn.adaptive_max_pool2d(x, size, return_indices=True)),
                lambda x: _weighed(_adaptive_max_twin(x, size)), (shape,))


def _unpooled(x):
    y, places = fn.max_pool2d(x, 2, return_indices=True)
    return fn.max_unpool2d(y * y, places, 2, output_size=x.shape)


def _unpooled_twin(x):
    y, places = _max_twin(x, 2), _places_twin(x, 2)
    image = np.zeros((*x.shape[:2], x.shape[2] * x.shape[3]))
    np.put_along_axis(image, places.reshape(*x.shape[:2], -1),
                      (y * y).reshape(*x.shape[:2], -1), 2)
    return image.reshape(x.shape)


def _slope_of_slope(x, weight):
    """A gradient through the gradient of max-pooling."""
    y = fn.max_pool2d(x, 2)
    return gradients((y * y * y).sum(), [x])[0] * weight


def _slope_twin(x, weight):
    return _first_winner(3 * _max_twin(x, 2) ** 2, x, 2)[0] * weight


CASES = [
    _both("2", (2, 3, 6, 8), 2),
    _both("overlap, padding, ceil_mode", (2, 3, 7, 8), 3, stride=2, padding=1, ceil_mode=True),
    _both("more than 256", (1, 2, 23, 25), (17, 16), stride=3, padding=(4, 1)),
    Case("max_pool2d of more than 256 places", lambda x: fn.max_pool2d(x, 17, stride=2),
         lambda x: _max_twin(x, 17, stride=2), ((2, 3, 20, 21),)),
    Case("max_pool2d, one image", lambda x: fn.max_pool2d(x, (2,), padding=(1,)),
         lambda x: _max_twin(x[None], 2, padding=1)[0], ((3, 5, 6),)),
    Case("max_pool2d, ceil_mode, a window larger than the image",
         lambda x: fn.max_pool2d(x, 3, 2, ceil_mode=True), lambda x: x.max((2, 3), keepdims=True),
         ((2, 3, 2, 2),)),
    Case("max_pool1d with places",
         lambda x: _weighed(fn.max_pool1d(x, 3, 2, padding=1, return_indices=True)),
         lambda x: _weighed([f(x[:, :, None], (1, 3), (1, 2), (0, 1))[:, :, 0]
                             for f in (_max_twin, _places_twin)]), ((2, 3, 9),)),
    Case("max_pool1d, one sequence", lambda x: fn.max_pool1d(x, 300, 7),
         lambda x: _max_twin(x[None, :, None], (1, 300), (1, 7))[0, :, 0], ((3, 330),)),
    _adaptive_max((2, 3, 6, 8), (2, 4)),
    _adaptive_max((2, 3, 7, 5), (3, 2)),
    _adaptive_max((1, 17, 3, 4), (5, 6)),
    _adaptive_max((1, 2, 20, 17), (1, 1)),
    Case("adaptive_max_pool1d, one sequence", lambda x: fn.adaptive_max_pool1d(x, 3),
         lambda x: _adaptive_max_twin(x[None, :, None], (1, 3))[0][0, :, 0], ((4, 8),)),
    Case("max_unpool2d", _unpooled, _unpooled_twin, ((2, 3, 7, 8),)),
    Case("max_unpool1d", lambda x, places: fn.max_unpool1d(x, places, 2),
         lambda x, places: np.array([[[row[list(at).index(i)] if i in at else 0 for i in range(6)]
                                      for row, at in zip(a, b, strict=True)]
                                     for a, b in zip(x, places, strict=True)]),
         ((1, 2, 3), np.array([[[0, 3, 5], [1, 2, 4]]]))),
    Case("the gradient of max_pool2d's gradient", _slope_of_slope, _slope_twin,
         ((2, 3, 4, 6), (2, 3, 4, 6))),
    Case("avg_pool1d, one sequence", lambda x: fn.avg_pool1d(x, (3,), (2,), (1,)),
         lambda x: _avg_twin(x[None, :, None], (1, 3), (1, 2), (0, 1))[0, :, 0], ((3, 8),)),
    Case("adaptive_avg_pool2d, one image", lambda x: fn.adaptive_avg_pool2d(x, (None, 2)),
         lambda x: _adaptive_twin(x[None], (None, 2))[0], ((3, 5, 6),)),
    Case("lp_pool2d", lambda x: fn.lp_pool2d(x, 2, (2, 3), 2),
         lambda x: np.sqrt(6 * _avg_twin(x * x, (2, 3), 2)), ((2, 3, 6, 7),)),
    Case("lp_pool1d", lambda x: fn.lp_pool1d(x, 3.0, 3, ceil_mode=True),
         lambda x: np.cbrt(3 * _avg_twin(x[:, :, None] ** 3, (1, 3), None, 0, True)[:, :, 0]),
         (between(0.5, 2, 2, 3, 8),)),
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

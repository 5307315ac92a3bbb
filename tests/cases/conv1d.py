"""1-D convolution and pooling; twins are loops over windows."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, few


def _windows(length, kernel, stride, pad, dilation):
    """For each output, the place of each tap."""
    count = (length + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    return [[i * stride - pad + k * dilation for k in range(kernel)] for i in range(count)]


def _conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    pad = {"valid": 0, "same": dilation * (w.shape[2] - 1) // 2}.get(padding, padding)
    windows = _windows(x.shape[2], w.shape[2], stride, pad, dilation)
    y = np.zeros((x.shape[0], w.shape[0], len(windows)))
    ins, outs = w.shape[1], w.shape[0] // groups
    for i, window in enumerate(windows):
        for k, place in enumerate(window):
            if 0 <= place < x.shape[2]:
                for g in range(groups):
                    y[:, g * outs:(g + 1) * outs, i] += (
                        x[:, g * ins:(g + 1) * ins, place] @ w[g * outs:(g + 1) * outs, :, k].T)
    return y if b is None else y + b[:, None]


def _case(name, x, w, bias=False, **arguments):
    return Case(f"conv1d {name}", lambda *inputs: fn.conv1d(*inputs, **arguments),
                lambda *inputs: _conv(*inputs, **arguments), (x, w, *[(w[0],)] * bias))


def _max(x, kernel, stride=None, padding=0, dilation=1):
    windows = _windows(x.shape[2], kernel, stride or kernel, padding, dilation)
    return np.stack([x[:, :, [p for p in window if 0 <= p < x.shape[2]]].max(2)
                     for window in windows], axis=2)


def _avg(x, kernel, stride=None, padding=0, count_include_pad=True):
    windows = _windows(x.shape[2], kernel, stride or kernel, padding, 1)
    inside = [[p for p in window if 0 <= p < x.shape[2]] for window in windows]
    return np.stack([x[:, :, places].sum(2) / (kernel if count_include_pad else len(places))
                     for places in inside], axis=2)


def _adaptive(x, size):
    length = x.shape[2]
    return np.stack([x[:, :, i * length // size:-(-(i + 1) * length // size)].mean(2)
                     for i in range(size)], axis=2)


def _pool(function, twin, name, shape, *args, **kwargs):
    return Case(f"{function.__name__} {name}", lambda x: function(x, *args, **kwargs),
                lambda x: twin(x, *args, **kwargs), (shape,))


def _transposed(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Each input adds its multiple of the kernel to the output."""
    outs, ins = w.shape[1], w.shape[0] // groups
    reach = (x.shape[2] - 1) * stride + dilation * (w.shape[2] - 1) + 1
    y = np.zeros((x.shape[0], outs * groups, reach + output_padding))
    for i in range(x.shape[2]):
        for k in range(w.shape[2]):
            for g in range(groups):
                y[:, g * outs:(g + 1) * outs, i * stride + k * dilation] += (
                    x[:, g * ins:(g + 1) * ins, i] @ w[g * ins:(g + 1) * ins, :, k])
    y = y[:, :, padding:reach + output_padding - padding]
    return y if b is None else y + b[:, None]


def _transposed_case(name, x, w, bias=0, **arguments):
    return Case(f"conv_transpose1d {name}",
                lambda *inputs: fn.conv_transpose1d(*inputs, **arguments),
                lambda *inputs: _transposed(*inputs, **arguments), (x, w, *[(bias,)] * bool(bias)))


CASES = [
    _transposed_case("of 3 taps", (2, 3, 5), (3, 4, 3)),
    _transposed_case("stride and bias", (2, 3, 5), (3, 4, 4), 4, stride=2, padding=1),
    _transposed_case("all arguments", (2, 4, 5), (4, 3, 3), 6, stride=3, padding=2,
                     output_padding=2, groups=2, dilation=2),
    Case("conv_transpose1d of one sequence", fn.conv_transpose1d,
         lambda x, w: _transposed(x[None], w)[0], ((3, 5), (3, 4, 3))),
    Case("conv1d of one sequence", lambda x, w: fn.conv1d(x, w, padding=(1,)),
         lambda x, w: _conv(x[None], w, padding=1)[0], ((3, 9), (4, 3, 3))),
    _case("of 3 taps", (2, 3, 9), (4, 3, 3)),
    _case("with bias and padding", (2, 5, 8), (7, 5, 3), bias=True, padding=1),
    _case("stride and dilation", (1, 4, 17), (6, 4, 3), stride=2, padding=2, dilation=3),
    _case("groups", (2, 6, 9), (4, 3, 3), bias=True, groups=2),
    _case("1 tap", (3, 8, 5), (9, 8, 1)),
    _case("same", (2, 3, 10), (5, 3, 5), padding="same"),
    _case("valid", (2, 3, 10), (5, 3, 4), padding="valid"),
    _case("depthwise", (2, 16, 21), (16, 1, 7), padding=3, groups=16),
    Case("two conv1d and a relu", lambda x, w, v: fn.conv1d(fn.relu(fn.conv1d(x, w)), v),
         lambda x, w, v: _conv(np.maximum(_conv(x, w), 0), v), ((2, 3, 9), (4, 3, 3), (5, 4, 3))),
    _pool(fn.max_pool1d, _max, "2", (2, 3, 8), 2),
    _pool(fn.max_pool1d, _max, "overlap", (2, 5, 9), 3, stride=2, padding=1),
    _pool(fn.max_pool1d, _max, "dilation", (1, 3, 11), 3, stride=1, dilation=2),
    _pool(fn.avg_pool1d, _avg, "2", (2, 3, 8), 2),
    _pool(fn.avg_pool1d, _avg, "padding", (2, 3, 9), 3, stride=2, padding=1),
    _pool(fn.avg_pool1d, _avg, "without counting padding", (2, 3, 9), 3, stride=2, padding=1,
          count_include_pad=False),
    _pool(fn.adaptive_avg_pool1d, _adaptive, "7 to 3", (2, 3, 7), 3),
    _pool(fn.adaptive_avg_pool1d, _adaptive, "to 1", (2, 17, 5), 1),
    Case("max_pool1d, ties", lambda x: fn.max_pool1d(x, 2), lambda x: _max(x, 2), (few(2, 3, 8),),
         differentiable=()),
]
TWINS = {"conv1d": _conv}

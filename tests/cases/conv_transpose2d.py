"""Transposed convolutions."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


def _twin(x, w, b=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Each pixel of x adds its multiple of the window to an image, whose edges are cut off."""
    def two(value):
        return np.array((value, value) if isinstance(value, int) else value)

    stride, padding, extra, dilation = map(two, (stride, padding, output_padding, dilation))
    n, c, height, width = x.shape
    _, per_group, kh, kw = w.shape
    reach = dilation * (np.array([kh, kw]) - 1) + 1
    full = (np.array([height, width]) - 1) * stride + reach + extra
    y, depth = np.zeros((n, per_group * groups, *full)), c // groups
    for g in range(groups):
        inputs = slice(g * depth, (g + 1) * depth)
        outputs = slice(g * per_group, (g + 1) * per_group)
        for i in range(height):
            for j in range(width):
                top, left = i * stride[0], j * stride[1]
                y[:, outputs, top:top + reach[0]:dilation[0], left:left + reach[1]:dilation[1]] += (
                    np.einsum("nk,kcuv->ncuv", x[:, inputs, i, j], w[inputs]))
    y = y[:, :, padding[0]:full[0] - padding[0], padding[1]:full[1] - padding[1]]
    return y if b is None else y + b[:, None, None]


def _case(name, x, w, bias=True, **arguments):
    out = w[1] * arguments.get("groups", 1)
    return Case(f"conv_transpose2d {name}", lambda *t: fn.conv_transpose2d(*t, **arguments),
                lambda *t: _twin(*t, **arguments), (x, w, *([(out,)] if bias else [])))


CASES = [
    _case("3x3", (2, 3, 4, 5), (3, 5, 3, 3)),
    _case("3x3 padding 1 without bias", (2, 4, 5, 4), (4, 6, 3, 3), bias=False, padding=1),
    _case("1x1", (2, 5, 3, 4), (5, 9, 1, 1)),
    _case("1x1 stride 2, output padding", (1, 5, 3, 4), (5, 3, 1, 1), stride=2, output_padding=1),
    _case("2x2 stride 2", (2, 6, 3, 4), (6, 3, 2, 2), stride=2),
    _case("3x3 stride 2, output padding", (2, 4, 3, 4), (4, 3, 3, 3), stride=2, padding=1,
          output_padding=1),
    _case("4x4 stride 2 padding 1", (1, 5, 3, 3), (5, 4, 4, 4), stride=2, padding=1),
    _case("output padding wider than padding", (1, 2, 3, 3), (2, 3, 3, 3), stride=3,
          output_padding=2),
    _case("output padding as wide as stride, dilated", (1, 3, 4, 4), (3, 2, 3, 2),
          dilation=3, output_padding=(2, 1)),
    _case("arguments by axis", (2, 3, 4, 3), (3, 4, 2, 3), stride=(1, 3), padding=(1, 0),
          output_padding=(0, 2), dilation=(2, 1)),
    _case("stride larger than the window", (1, 3, 3, 4), (3, 2, 2, 2), stride=3),
    _case("groups 2", (2, 4, 3, 4), (4, 3, 3, 3), padding=1, groups=2),
    _case("depthwise, stride 2", (2, 5, 3, 4), (5, 1, 3, 3), stride=2, groups=5),
    _case("depthwise, 2 each", (1, 4, 3, 3), (4, 2, 3, 3), padding=1, groups=4),
    _case("padding wider than the window", (1, 3, 7, 6), (3, 2, 2, 2), padding=2),
    _case("one pixel", (2, 17, 1, 1), (17, 3, 4, 4)),
    _case("16 channels to 33", (1, 16, 4, 3), (16, 33, 3, 3), stride=2, padding=1),
]

"""Convolutions."""

import fastnn as fn
from tests.cases.case import Case
from tests.reference.conv2d import conv2d_forward


def _twin(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """conv2d on (n, c, h, w) by the reference on channels-last arrays."""
    def two(value):
        return (value, value) if isinstance(value, int) else value

    (n, c, height, width), (k, _, kh, kw) = x.shape, w.shape
    (sh, sw), (dh, dw) = two(stride), two(dilation)
    if padding == "same":
        total = dh * (kh - 1), dw * (kw - 1)
        before, after = [t // 2 for t in total], [t - t // 2 for t in total]
    elif isinstance(padding, tuple) and isinstance(padding[0], tuple):
        (top, bottom), (left, right) = padding
        before, after = (top, left), (bottom, right)
    else:
        before = after = two(0 if padding == "valid" else padding)
    oh = (height + before[0] + after[0] - dh * (kh - 1) - 1) // sh + 1
    ow = (width + before[1] + after[1] - dw * (kw - 1) - 1) // sw + 1
    d = (n, height, width, c, k, kh, kw, sh, sw, *before, dh, dw, groups, oh, ow, b is not None, 0)
    y = conv2d_forward(x.transpose(0, 2, 3, 1), w.transpose(0, 2, 3, 1), b, d)
    return y.transpose(0, 3, 1, 2)


def _case(name, x, w, bias=True, **arguments):
    return Case(f"conv2d {name}", lambda *t: fn.conv2d(*t, **arguments),
                lambda *t: _twin(*t, **arguments), (x, w, *([(w[0],)] if bias else [])))


CASES = [
    _case("3x3", (2, 3, 6, 7), (5, 3, 3, 3)),
    _case("3x3 padding 1", (2, 3, 6, 7), (5, 3, 3, 3), padding=1),
    _case("3x3 without bias", (2, 4, 6, 5), (6, 4, 3, 3), bias=False, padding=1),
    _case("1x1", (2, 5, 3, 7), (9, 5, 1, 1)),
    _case("1x1 stride 2", (2, 5, 6, 7), (9, 5, 1, 1), stride=2),
    _case("3x3 stride 2 padding 1", (2, 3, 7, 8), (4, 3, 3, 3), stride=2, padding=1),
    _case("7x7 stride 2 padding 3", (1, 3, 11, 9), (4, 3, 7, 7), stride=2, padding=3),
    _case("stride larger than the window", (1, 3, 9, 8), (4, 3, 2, 2), stride=3),
    _case("stride and padding by axis", (2, 2, 9, 8), (3, 2, 3, 2), stride=(2, 1), padding=(0, 1)),
    _case("same, even window", (2, 3, 6, 5), (4, 3, 4, 2), padding="same"),
    _case("same, dilated", (1, 3, 7, 8), (4, 3, 3, 2), padding="same", dilation=(2, 3)),
    _case("padding by side", (2, 3, 5, 6), (4, 3, 3, 2), padding=((0, 2), (3, 1))),
    _case("padding by side, stride 2, 19 channels", (1, 19, 6, 5), (4, 19, 3, 3), stride=2,
          padding=((1, 0), (0, 1))),
    _case("1x1 with padding below alone", (2, 5, 3, 4), (6, 5, 1, 1), padding=((0, 1), (0, 0))),
    _case("valid", (1, 3, 5, 6), (4, 3, 2, 3), padding="valid"),
    _case("dilation 2", (2, 3, 8, 9), (4, 3, 3, 3), padding=2, dilation=2),
    _case("dilation by axis, stride 2", (1, 3, 9, 11), (4, 3, 3, 3), stride=2, dilation=(1, 3)),
    _case("groups 2", (2, 4, 5, 6), (6, 2, 3, 3), padding=1, groups=2),
    _case("groups 3, stride 2", (1, 6, 7, 7), (9, 2, 3, 3), stride=2, groups=3),
    _case("depthwise", (2, 5, 6, 5), (5, 1, 3, 3), padding=1, groups=5),
    _case("depthwise, 2 each, stride 2", (1, 5, 7, 6), (10, 1, 3, 3), stride=2, groups=5),
    _case("depthwise, 3 each, dilated, same", (2, 4, 6, 5), (12, 1, 3, 2), padding="same",
          dilation=2, groups=4),
    _case("depthwise, 4 by 2 window, padding by side", (2, 17, 6, 5), (17, 1, 4, 2), groups=17,
          padding=((2, 1), (1, 0))),
    _case("window as large as the image", (3, 2, 4, 5), (7, 2, 4, 5)),
    _case("padding wider than the image", (1, 2, 1, 2), (3, 2, 3, 3), padding=2),
    _case("one channel, 17 filters", (2, 1, 5, 5), (17, 1, 3, 3), padding=1),
    _case("33 channels, 1 filter", (1, 33, 4, 3), (1, 33, 3, 3), padding=1),
    _case("16 channels, 32 filters", (2, 16, 6, 9), (32, 16, 3, 3), padding=1),
    _case("16 channels, 48 filters", (1, 16, 8, 8), (48, 16, 3, 3), padding=1),
    Case("conv2d relu", lambda x, w, b: fn.relu(fn.conv2d(x, w, b, padding=1)),
         lambda x, w, b: _twin(x, w, b, padding=1).clip(0), ((2, 3, 6, 7), (5, 3, 3, 3), (5,))),
    Case("conv2d with the image as weight", lambda x: fn.conv2d(x, x),
         lambda x: _twin(x, x), ((2, 3, 4, 4),)),
    Case("conv2d, large", lambda x, w, b: fn.conv2d(x, w, b, padding=1),
         lambda x, w, b: _twin(x, w, b, padding=1), ((4, 32, 20, 19), (40, 32, 3, 3), (40,)),
         tolerance=5e-5, reason="sums of 288 products forward and 1520 in the weight's gradient"),
]

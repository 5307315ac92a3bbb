"""Convolution kernels against float64: every way a layer can be computed, and any arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_linear import assert_close
from tests.memory import blank
from tests.reference import conv2d as reference


def sizes(n, h, w, c, k, kernel, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1), groups=1,
          has_bias=0, relu=0):
    """d of the kernels; pad is top, left, bottom, right."""
    oh = (h + pad[0] + pad[2] - (kernel[0] - 1) * dilation[0] - 1) // stride[0] + 1
    ow = (w + pad[1] + pad[3] - (kernel[1] - 1) * dilation[1] - 1) // stride[1] + 1
    return (n, h, w, c, k, *kernel, *stride, *pad[:2], *dilation, groups, oh, ow, has_bias, relu)


SAME, ONE = (1, 1, 1, 1), (1, 1)
LAYERS = {
    "vectors whole": sizes(3, 8, 9, 16, 32, (3, 3), pad=SAME, has_bias=1, relu=1),
    "vectors part": sizes(3, 7, 5, 17, 33, (3, 3), pad=SAME, has_bias=1),
    "depth in blocks": sizes(2, 5, 6, 300, 40, (3, 3), pad=SAME, relu=1),
    "taps in blocks": sizes(2, 12, 12, 20, 20, (5, 5), pad=(2, 2, 2, 2)),
    "more taps by phase": sizes(5, 6, 14, 8, 33, (3, 3), (1, 2), (0, 4, 0, 4)),
    "1x1": sizes(4, 10, 10, 24, 40, ONE, has_bias=1, relu=1),
    "1x1 stride 2": sizes(4, 9, 10, 24, 40, ONE, (2, 2)),
    "stem 3x3": sizes(3, 32, 32, 3, 16, (3, 3), pad=SAME, has_bias=1),
    "stem 7x7 stride 2": sizes(2, 33, 31, 3, 24, (7, 7), (2, 2), (3, 3, 3, 3)),
    "lenet 1": sizes(8, 28, 28, 1, 6, (5, 5), pad=(2, 2, 2, 2), has_bias=1, relu=1),
    "lenet 2": sizes(8, 14, 14, 6, 16, (5, 5), has_bias=1),
    "wide image": sizes(1, 3, 700, 2, 5, (3, 3), pad=SAME),
    "few channels dilated": sizes(2, 13, 14, 3, 8, (3, 3), pad=(2, 2, 2, 2), dilation=(2, 2)),
    "stride 3, gaps": sizes(2, 11, 13, 16, 16, (2, 2), (3, 3)),
    "asymmetric": sizes(2, 9, 8, 16, 8, (3, 2), (1, 2), (2, 0, 0, 3), (2, 1)),
    "grouped": sizes(3, 9, 9, 24, 36, (3, 3), pad=SAME, groups=3, has_bias=1),
    "depthwise": sizes(3, 17, 12, 21, 21, (3, 3), pad=SAME, groups=21, has_bias=1, relu=1),
    "depthwise stride 2": sizes(3, 17, 12, 40, 40, (5, 3), (2, 2), (2, 1, 2, 1), groups=40),
    "depthwise, units of pixels": sizes(2, 9, 40, 5, 5, (3, 3), pad=SAME, groups=5, has_bias=1),
    "depthwise, units of two pixels": sizes(2, 7, 23, 24, 24, (3, 5), pad=(1, 2, 1, 2), groups=24,
                                            relu=1),
    "depthwise, long taps": sizes(2, 21, 22, 3, 3, (5, 7), pad=(8, 3, 8, 9), dilation=(2, 3),
                                  groups=3, has_bias=1),
    "depthwise, one column": sizes(3, 9, 1, 6, 6, (3, 3), pad=SAME, groups=6),
    "depthwise twofold": sizes(2, 9, 9, 10, 20, (3, 3), pad=SAME, groups=10),
    "depthwise threefold": sizes(2, 9, 9, 7, 21, (3, 3), (2, 1), SAME, groups=7, has_bias=1,
                                 relu=1),
    "depthwise ninefold": sizes(9, 20, 19, 3, 27, (2, 3), pad=SAME, groups=3),
    "padding only": sizes(1, 2, 2, 4, 4, (1, 1), pad=(3, 3, 3, 3)),
    "groups of few channels": sizes(3, 9, 17, 12, 20, (3, 5), pad=(1, 2, 1, 2), groups=4,
                                    has_bias=1, relu=1),
    "groups of few channels, strided": sizes(2, 20, 13, 15, 6, (4, 3), (2, 3), SAME, groups=3),
    "few outputs": sizes(3, 11, 9, 37, 3, (3, 3), (2, 2), SAME, has_bias=1, relu=1),
    "few outputs of each group": sizes(5, 9, 8, 52, 8, (3, 3), pad=SAME, groups=4, has_bias=1),
    "few outputs, blocks of depth": sizes(2, 4, 5, 1100, 5, (1, 2), has_bias=1, relu=1),
    "few outputs, blocks of taps": sizes(2, 9, 9, 300, 1, (5, 5), pad=(2, 2, 2, 2)),
    "few inputs, strided": sizes(3, 12, 13, 7, 40, (5, 5), (2, 2), (2, 2, 2, 2)),
    "sums of their own": sizes(16, 32, 32, 16, 16, (3, 3), pad=SAME),
    "depthwise sums of their own": sizes(8, 32, 32, 16, 16, (3, 3), pad=SAME, groups=16),
    "terms for rows": sizes(3, 11, 50, 3, 70, (3, 3), pad=SAME, dilation=(2, 1)),
    "terms for rows, in groups": sizes(2, 14, 9, 6, 64, (5, 3), (2, 1), (2, 1, 2, 1), groups=2),
    "regions of a border": sizes(3, 11, 9, 20, 40, (5, 5), pad=(3, 3, 3, 3), has_bias=1, relu=1),
    "regions of groups": sizes(5, 7, 6, 40, 66, (3, 3), pad=(2, 2, 2, 2), dilation=(2, 2),
                               groups=2),
    "regions and phases": sizes(4, 9, 8, 24, 35, (5, 4), (2, 3), (4, 3, 4, 3), has_bias=1),
    "regions without taps": sizes(2, 4, 3, 18, 34, (3, 3), pad=(5, 6, 7, 5), has_bias=1),
    "regions of few outputs": sizes(6, 7, 7, 150, 3, (5, 5), pad=(4, 4, 4, 4), has_bias=1),
    "regions of ranges of images": sizes(70, 8, 8, 17, 12, (3, 3), pad=(2, 2, 2, 2),
                                         dilation=(2, 2)),
    "by position": sizes(37, 2, 2, 20, 33, (3, 3), pad=SAME, has_bias=1, relu=1),
    "by position, strided": sizes(33, 4, 3, 16, 24, (3, 3), (2, 2), SAME),
    "by position, depth in blocks": sizes(140, 2, 3, 300, 40, (3, 3), pad=SAME),
    "large weights": sizes(2, 4, 4, 130, 140, (3, 3), pad=SAME),
}


ALL_PASSES = ("forward", "grad_input", "grad_weight")


def check(d, run, way="conv2d", passes=ALL_PASSES):
    """These passes by the kernels whose names start with `way`."""
    v = reference.Conv(*d)
    rng = np.random.default_rng(abs(hash(d)))
    shapes = ((v.n, v.h, v.w, v.c), (v.k, v.kh, v.kw, v.c // v.groups),
              (v.k if v.has_bias else 0,), (v.n, v.oh, v.ow, v.k))
    x, weight, bias, dy = (rng.standard_normal(s, dtype=np.float32) for s in shapes)
    for array in (x, weight, bias, dy):
        array.flags.writeable = False
    y, dx, dw = (np.full(a.shape, np.nan, np.float32) for a in (dy, x, weight))
    terms = v.kh * v.kw
    if "forward" in passes:
        run(f"{way}_forward", [x, weight, bias, y], d)
        assert_close(y, reference.conv2d_forward(x, weight, bias, d), terms * v.c // v.groups)
    if "grad_input" in passes:
        run(f"{way}_grad_input", [dy, weight, dx], d)
        assert_close(dx, reference.conv2d_grad_input(dy, weight, d), terms * v.k // v.groups)
        if way == "conv2d" and (v.kh, v.kw) != (1, 1) and (v.groups == 1 or v.groups < v.c):
            shift, moved = rng.standard_normal(v.c, dtype=np.float32), blank(dx.shape)
            run("conv2d_grad_input_bias", [dy, weight, shift, moved], d)
            np.testing.assert_array_equal(moved, dx + shift)
    if "grad_weight" in passes:
        run(f"{way}_grad_weight", [x, dy, dw], d)
        assert_close(dw, reference.conv2d_grad_weight(x, dy, d), v.n * v.oh * v.ow)


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer):
    check(LAYERS[layer], call_all_threads)


def test_taps_that_read_no_pixel():
    """Position by position; the gradient of a weight that meets padding alone is zero."""
    d = sizes(32, 2, 1, 17, 70, (5, 5), pad=(2, 2, 2, 2), has_bias=1)
    check(d, call_all_threads)
    dw = blank((70, 5, 5, 17))
    call("conv2d_grad_weight", [*(np.ones((32, 2, 1, c), np.float32) for c in (17, 70)), dw], d)
    assert not dw[:, 0].any() and not dw[:, :, [0, 1, 3, 4]].any() and (dw[:, 2, 2] == 64).all()


@st.composite
def arguments(draw):
    """Any kernel, stride, padding and dilation that leaves at least one output pixel."""
    def integer(low, high):
        return draw(st.integers(low, high))

    groups = draw(st.sampled_from([1, 1, 1, 2, 3, 5, 11]))
    c, k = groups * integer(1, 20), groups * integer(1, 20)
    if draw(st.booleans()):
        c, k = groups, groups * integer(1, 12)
    axes = []
    for _ in range(2):
        kernel, stride, dilation = integer(1, 5), integer(1, 3), integer(1, 3)
        before, after = integer(0, 4), integer(0, 4)
        least = max(1, (kernel - 1) * dilation + 1 - before - after)
        axes.append((kernel, stride, dilation, before, after, least + integer(0, 9)))
    kernel, stride, dilation, before, after, size = zip(*axes, strict=True)
    images = integer(0, 5) if max(size) > 4 else draw(st.sampled_from([0, 1, 3, 32, 45]))
    return sizes(images, *size, c, k, kernel, stride, before + after, dilation, groups,
                 integer(0, 1), integer(0, 1))


@covers("conv2d_forward", "conv2d_grad_input", "conv2d_grad_input_bias", "conv2d_grad_weight")
@given(arguments())
def test_any_arguments(d):
    check(d, call)


def test_long_sum_keeps_its_digits():
    """128 images of 32 x 32 positive terms, as in ResNet-20's first block."""
    d = sizes(128, 32, 32, 4, 4, (1, 2), pad=(0, 0, 0, 1))
    rng = np.random.default_rng(0)
    x, dy = (rng.random((128, 32, 32, 4), dtype=np.float32) for _ in range(2))
    dw = blank((4, 1, 2, 4))
    call("conv2d_grad_weight", [x, dy, dw], d)
    np.testing.assert_allclose(dw, reference.conv2d_grad_weight(x, dy, d), rtol=3e-6)


@pytest.mark.parametrize("change, message", [
    ({"groups": 5}, "groups"), ({"pad_top": -1}, "padding"), ({"kh": 0}, ">= 1"),
])
def test_contradictory_sizes(change, message):
    d = reference.Conv(*LAYERS["vectors whole"])._replace(**change)
    for name in ("conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight"):
        with pytest.raises(ValueError, match=message):
            registry.kernel(name).extents(d, 1)

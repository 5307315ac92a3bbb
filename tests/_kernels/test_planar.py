"""Planar kernels against float64: parts of vectors and of tiles, any padding, few channels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import ALL_PASSES, SAME, check, sizes
from tests.reference import conv2d as reference

LAYERS = {
    "lenet 1": sizes(8, 28, 28, 1, 6, (5, 5), pad=(2, 2, 2, 2), has_bias=1, relu=1),
    "lenet 2": sizes(8, 14, 14, 6, 16, (5, 5), has_bias=1),
    "one pixel": sizes(2, 1, 1, 3, 5, (1, 1), relu=1),
    "one channel": sizes(3, 9, 35, 1, 1, (3, 3), pad=(1, 1, 1, 1), has_bias=1),
    "most channels": sizes(2, 6, 17, 64, 64, (3, 3), pad=(1, 1, 1, 1), has_bias=1),
    "blocks of lines": sizes(2, 40, 130, 4, 8, (3, 3), pad=(1, 1, 1, 1)),
    "one line in a block": sizes(1, 3, 2000, 3, 7, (3, 3), pad=(1, 1, 1, 1)),
    "kernel wider than the image": sizes(2, 2, 3, 2, 6, (5, 7), pad=(4, 5, 3, 6)),
    "padding wider than the kernel": sizes(2, 5, 4, 3, 2, (3, 2), pad=(4, 3, 5, 6)),
    "lines in pairs": sizes(2, 10, 10, 16, 6, (5, 5), pad=(4, 4, 4, 4), has_bias=1, relu=1),
    "an odd line": sizes(2, 7, 3, 5, 13, (3, 3), pad=SAME),
    "padding only": sizes(1, 2, 2, 4, 4, (1, 1), pad=(3, 3, 3, 3)),
    "sums of their own": sizes(16, 32, 32, 3, 10, (3, 3), pad=(1, 1, 1, 1)),
}


GROUPS = {
    "two channels each": sizes(2, 20, 20, 8, 48, (7, 7), pad=(6, 6, 6, 6), groups=4, has_bias=1),
    "three channels each": sizes(3, 9, 11, 15, 10, (3, 3), pad=SAME, groups=5, has_bias=1, relu=1),
    "as in ResNeXt": sizes(2, 14, 14, 32, 32, (3, 3), pad=SAME, groups=8),
}
ALL = LAYERS | GROUPS


def check_planar(d, run):
    v = reference.Conv(*d)
    check(d, run, "planar", ALL_PASSES if v.groups == 1 else ALL_PASSES[:2])


@pytest.mark.parametrize("layer", ALL)
def test_layers(layer):
    check_planar(ALL[layer], call_all_threads)


@st.composite
def arguments(draw):
    """Any kernel, channels, groups and padding that leave at least one output pixel."""
    def integer(low, high):
        return draw(st.integers(low, high))

    kernel = integer(1, 6), integer(1, 6)
    pad = tuple(integer(0, 7) for _ in range(4))
    size = [max(1, kernel[i] - pad[i] - pad[i + 2]) + integer(0, 40) for i in (0, 1)]
    groups = draw(st.sampled_from([1, 1, 3]))
    return sizes(integer(0, 3), *size, groups * integer(1, 32 // groups),
                 groups * integer(1, 32 // groups), kernel, pad=pad, groups=groups,
                 has_bias=integer(0, 1), relu=integer(0, 1))


@covers("planar_forward", "planar_grad_input", "planar_grad_weight")
@given(arguments())
def test_any_arguments(d):
    check_planar(d, call)


@pytest.mark.parametrize("arguments, passes, message", [
    ({"stride": (2, 1)}, ALL_PASSES, "stride 1"),
    ({"dilation": (1, 2)}, ALL_PASSES, "dilation 1"),
    ({"c": 65}, ALL_PASSES, "up to 64 channels"),
    ({"groups": 2}, ALL_PASSES[2:], "one group")])
def test_other_convolutions_are_refused(arguments, passes, message):
    d = sizes(2, 9, 9, **{"c": 8, "k": 8, "kernel": (3, 3)} | arguments)
    for name in passes:
        with pytest.raises(ValueError, match=message):
            registry.kernel(f"planar_{name}").extents(d, 1)

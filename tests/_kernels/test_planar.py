"""Planar kernels against float64: parts of vectors and of tiles, any padding, few channels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import SAME, check, sizes

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


def check_planar(d, run):
    check(d, run, "planar")


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer):
    check_planar(LAYERS[layer], call_all_threads)


@st.composite
def arguments(draw):
    """Any kernel, channels and padding that leave at least one output pixel."""
    def integer(low, high):
        return draw(st.integers(low, high))

    kernel = integer(1, 6), integer(1, 6)
    pad = tuple(integer(0, 7) for _ in range(4))
    size = [max(1, kernel[i] - pad[i] - pad[i + 2]) + integer(0, 40) for i in (0, 1)]
    return sizes(integer(0, 3), *size, integer(1, 32), integer(1, 32), kernel, pad=pad,
                 has_bias=integer(0, 1), relu=integer(0, 1))


@covers("planar_forward", "planar_grad_input", "planar_grad_weight")
@given(arguments())
def test_any_arguments(d):
    check_planar(d, call)


@pytest.mark.parametrize("arguments, message", [
    ({"stride": (2, 1)}, "stride 1"), ({"dilation": (1, 2)}, "dilation 1"),
    ({"groups": 2}, "one group"), ({"c": 65}, "up to 64 channels")])
def test_other_convolutions_are_refused(arguments, message):
    d = sizes(2, 9, 9, **{"c": 8, "k": 8, "kernel": (3, 3)} | arguments)
    for name in ("planar_forward", "planar_grad_input", "planar_grad_weight"):
        with pytest.raises(ValueError, match=message):
            registry.kernel(name).extents(d, 1)

"""Convolution through BLAS against float64: the layers of the direct kernels, and its own cuts."""

import numpy as np
import pytest
from hypothesis import given

from fastnn._kernels import registry
from fastnn.blas import one_blas_thread
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import LAYERS, ONE, SAME, arguments, check, sizes
from tests.memory import blank
from tests.reference import conv2d as reference

OWN_LAYERS = {
    "1x1 in groups": sizes(4, 10, 10, 24, 40, ONE, groups=4, has_bias=1),
    "1x1 of one image": sizes(1, 30, 31, 48, 40, ONE),
    "1x1 in parts of columns": sizes(2, 8, 8, 330, 70, ONE, relu=1),
    "bands of rows": sizes(1, 40, 20, 16, 24, (3, 3), pad=SAME),
    "bands of rows with gaps": sizes(2, 41, 20, 16, 24, (3, 2), (2, 3), (2, 0, 1, 1), (3, 2)),
    "several images at a time": sizes(100, 3, 3, 8, 40, (3, 3), pad=SAME),
    "padding beyond the filter, several images": sizes(70, 4, 3, 8, 24, (2, 2), pad=(3, 4, 3, 4)),
    "lines in blocks": sizes(1, 60, 70, 24, 8, (5, 5), pad=(2, 2, 2, 2)),
    "no images": sizes(0, 4, 4, 3, 5, (3, 3), pad=SAME, has_bias=1),
}


@pytest.mark.parametrize("layer", LAYERS | OWN_LAYERS)
def test_layers(layer):
    with one_blas_thread():
        check((LAYERS | OWN_LAYERS)[layer], call_all_threads, "blas")


@covers("blas_forward", "blas_grad_input", "blas_grad_weight")
@given(arguments())
def test_any_arguments(d):
    with one_blas_thread():
        check(d, call, "blas")


def test_long_sum_keeps_its_digits():
    """128 images of 32 x 32 positive terms, as in ResNet-20's first block."""
    d = sizes(128, 32, 32, 4, 4, (1, 2), pad=(0, 0, 0, 1))
    rng = np.random.default_rng(0)
    x, dy = (rng.random((128, 32, 32, 4), dtype=np.float32) for _ in range(2))
    dw = blank((4, 1, 2, 4))
    with one_blas_thread():
        call("blas_grad_weight", [x, dy, dw], d)
    np.testing.assert_allclose(dw, reference.conv2d_grad_weight(x, dy, d), rtol=3e-6)


def test_relu_keeps_nan():
    """As in the other kernels: a fault in the data must not be hidden."""
    x = np.array([np.nan, -1, 2], np.float32).reshape(1, 1, 3, 1)
    y = blank(3)
    call("blas_forward", [x, np.ones((1, 1, 1, 1), np.float32), np.empty(0, np.float32), y],
         sizes(1, 1, 3, 1, 1, ONE, relu=1))
    np.testing.assert_array_equal(y, np.array([np.nan, 0, 2], np.float32))


@pytest.mark.parametrize("change, message", [
    ({"groups": 5}, "groups"), ({"pad_top": -1}, "padding"), ({"kh": 0}, ">= 1"),
    ({"c": 2**29}, "BLAS takes rows"), ({"ow": 2**31}, "BLAS takes rows"),
])
def test_contradictory_sizes(change, message):
    d = reference.Conv(*LAYERS["vectors whole"])._replace(**change)
    for name in ("blas_forward", "blas_grad_input", "blas_grad_weight"):
        with pytest.raises(ValueError, match=message):
            registry.kernel(name).extents(d, 1)

"""1x1 convolutions through a norm and a ReLU: the bits of the layer on what the norm gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels import test_batch_norm
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_conv2d import ONE, sizes
from tests.memory import blank, blank_like

EPS = [test_batch_norm.EPS]
# around tiles, blocks of rows, and of depth; few outputs; sums over ranges of pixels in parts
LAYERS = [sizes(1, 1, 1, 9, 3, ONE), sizes(2, 5, 5, 16, 10, ONE, has_bias=1),
          sizes(3, 16, 16, 16, 10, ONE, has_bias=1), sizes(3, 17, 23, 40, 33, ONE, relu=1),
          sizes(2, 14, 14, 64, 256, ONE), sizes(1, 7, 9, 600, 40, ONE, has_bias=1, relu=1),
          sizes(1, 20, 20, 1024, 70, ONE), sizes(2, 20, 25, 128, 3, ONE, has_bias=1, relu=1),
          sizes(1, 9, 8, 1100, 1, ONE), sizes(9, 31, 33, 17, 21, ONE),
          sizes(1, 12, 11, 33, 1100, ONE)]


@pytest.mark.parametrize("d", LAYERS, ids=str)
def test_the_bits_of_the_layer_behind_the_norm(d):
    check(d, call_all_threads)


def check(d, run):
    n, h, w, c, k = d[:5]
    rng = np.random.default_rng(n * h * w + c)
    x, dy, filters, bias, *vectors = (
        rng.standard_normal(shape).astype(np.float32)
        for shape in ((n, h, w, c), (n, h, w, k), (k, 1, 1, c), (k,), (c,), (c,)))
    mean, var = rng.standard_normal(c).astype(np.float32), rng.random(c, np.float32) + 0.1
    bias = bias[:k * d[16]]
    norm, z = [mean, var, *vectors], blank_like(x)
    for array in (x, dy, filters, bias, *norm):
        array.flags.writeable = False
    if n:
        call("batch_norm_apply_relu", [x, *norm, z], [n * h * w, c], EPS)
    (y, expected_y), (dw, expected_dw) = blank((2, *dy.shape)), blank((2, *filters.shape))
    call("conv2d_forward", [z, filters, bias, expected_y], d)
    run("conv2d_forward_normed", [x, *norm, filters, bias, y], d, EPS)
    np.testing.assert_array_equal(y, expected_y)
    call("conv2d_grad_weight", [z, dy, expected_dw], d)
    run("conv2d_grad_weight_normed", [x, *norm, dy, dw], d, EPS)
    np.testing.assert_array_equal(dw, expected_dw)


@covers("conv2d_forward_normed", "conv2d_grad_weight_normed")
@given(st.integers(0, 3), st.integers(1, 30), st.integers(1, 30), st.integers(9, 90),
       st.integers(1, 90), st.integers(0, 1), st.integers(0, 1))
def test_random_arguments(n, h, w, c, k, has_bias, relu):
    check(sizes(n, h, w, c, k, ONE, has_bias=has_bias, relu=relu), call)


@pytest.mark.parametrize("d", [
    sizes(2, 8, 8, 16, 16, (3, 3), pad=(1, 1, 1, 1)), sizes(2, 8, 8, 16, 16, ONE, (2, 2)),
    sizes(2, 8, 8, 16, 16, ONE, pad=(0, 0, 1, 0)), sizes(2, 8, 8, 16, 16, ONE, groups=2),
    sizes(2, 8, 8, 8, 16, ONE)], ids=str)
@pytest.mark.parametrize("part", ["forward", "grad_weight"])
def test_other_layers_are_refused(part, d):
    with pytest.raises(ValueError, match="1x1"):
        registry.kernel(f"conv2d_{part}_normed").extents(d, 1)

"""PReLU against its float64 twin: rows of channels, runs with one slope, sums of slopes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests.memory import blank, blank_like
from tests.reference.prelu import prelu, prelu_grad

SHAPES = [
    (1, 1, 1), (1, 1, 15), (1, 1, 17), (1, 1, 16384), (1, 1, 50_001), (7, 3, 1), (16, 16, 1),
    (17, 33, 1), (5000, 20, 1), (3, 20_000, 1), (2, 3, 5), (3, 2, 16_385), (1, 7, 100), (0, 3, 1),
    (2, 3, 0)]


def check(outer, channels, inner, seed=0):
    rng = np.random.default_rng(seed)
    shape = (outer, channels, inner)
    x, dy = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    w = rng.uniform(-0.5, 1.5, channels).astype(np.float32)
    for array in (x, dy, w):
        array.flags.writeable = False
    y, dx, dw = blank_like(x), blank_like(x), blank(channels)
    call_all_threads("prelu_forward", [x, w, y], shape)
    np.testing.assert_allclose(y, prelu(x, w), rtol=2**-23)
    call_all_threads("prelu_backward", [x, dy, w, dx, dw], shape)
    expected, slopes = prelu_grad(x, dy, w)
    np.testing.assert_allclose(dx, expected, rtol=2**-23)
    # Sixteen additions in float, then double: the error does not grow with the count.
    size = np.abs(np.where(x > 0, 0, x.astype(np.float64) * dy)).sum(axis=(0, 2))
    assert (np.abs(dw - slopes) <= 2.0**-20 * size).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_values(shape):
    check(*shape)


@covers("prelu_forward", "prelu_backward")
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_random_shapes(outer, channels, inner, seed):
    check(outer, channels, inner, seed)


@pytest.mark.parametrize("shape", [(1, 1, 100), (9, 20, 1)])
def test_results_may_overwrite_what_is_read(shape):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
    w = rng.uniform(0, 1, shape[1]).astype(np.float32)
    expected, dx = prelu(x, w), prelu_grad(x, dy, w)[0]
    call("prelu_backward", [x, dy, w, dy, blank(shape[1])], shape)
    np.testing.assert_allclose(dy, dx, rtol=2**-23)
    call("prelu_forward", [x, w, x], shape)
    np.testing.assert_allclose(x, expected, rtol=2**-23)


@pytest.mark.parametrize("shape", [(1, 1, 40), (4, 10, 1)])
def test_zero_and_nan(shape):
    """At zero the slope counts for dx, as below; a NaN reaches its values and its slope alone."""
    x, w, dx, dw = (np.zeros(shape, np.float32), np.full(shape[1], 0.5, np.float32),
                    blank(shape), blank(shape[1]))
    call("prelu_backward", [x, np.ones_like(x), w, dx, dw], shape)
    assert (dx == 0.5).all() and (dw == 0).all()
    x.reshape(-1)[0] = np.nan
    y = blank_like(x)
    call("prelu_forward", [x, w, y], shape)
    assert np.isnan(y.reshape(-1)[0]) and (y.reshape(-1)[1:] == 0).all()
    call("prelu_backward", [x, np.ones_like(x), w, dx, dw], shape)
    assert np.isnan(dw[0]) and (dw[1:] == 0).all()


@pytest.mark.parametrize("d", [(1, 0, 1), (1, 1), (-1, 1, 1)])
def test_sizes_that_make_no_sense(d):
    with pytest.raises(ValueError, match="prelu takes"):
        registry.KERNELS["prelu_forward"].extents(d, 1)

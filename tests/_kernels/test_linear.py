"""Linear kernels against float64: sizes around every tile and block, threads, guard zones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests.memory import blank
from tests.reference import linear as reference

# around 4, 6, 8, 12 rows, panels of 8 to 32 columns, blocks of 256 terms and of 384 rows
SIZES = [
    (1, 1, 1), (2, 3, 5), (5, 8, 8), (6, 16, 16), (7, 17, 15), (13, 33, 31), (32, 10, 46),
    (32, 46, 10), (64, 400, 120), (25, 255, 33), (24, 257, 32), (64, 120, 84), (3, 1025, 65),
    (383, 40, 17), (385, 40, 48), (1000, 64, 64), (2100, 70, 130),
    # few rows of a long sum; few columns; rows a page apart; a thin gradient of the weights
    (1, 130, 33), (8, 1024, 520), (15, 700, 49), (32, 1030, 70), (30, 300, 3), (250, 513, 1),
    (26, 2048, 34), (25, 1022, 33), (14, 35, 1026), (300, 1, 70), (129, 7, 33), (500, 3, 401),
]


def assert_close(got, expected, terms):
    """Within the rounding of sums of `terms` products, relative to the output's RMS.

    A sum of n random terms has an error of about sqrt(n) units of 6e-8 at worst; sums are cut
    into blocks of a few hundred, so 5e-6 holds at the largest of 100,000 outputs. A few outputs
    may all be small by chance, and their terms are not: these are products of normal numbers.
    """
    rms = np.sqrt(np.mean(expected ** 2)) if expected.size else 0.0
    if expected.size < 100:
        rms = max(rms, terms ** 0.5)
    tolerance = 1e-6 + 3e-7 * min(terms, 512) ** 0.5
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * max(rms, 1e-30))


def check(m, k, n, has_bias, relu, run=call_all_threads):
    rng = np.random.default_rng(m * 10007 + k * 101 + n)
    x, w, dy = (rng.standard_normal(s, dtype=np.float32) for s in ((m, k), (n, k), (m, n)))
    bias = rng.standard_normal(n if has_bias else 0, dtype=np.float32)
    for array in (x, w, dy, bias):
        array.flags.writeable = False
    y, dx, dw = (np.full(a.shape, np.nan, np.float32) for a in (dy, x, w))
    run("linear_forward", [x, w, bias, y], [m, k, n, has_bias, relu, m])
    assert_close(y, reference.linear_forward(x, w, bias if has_bias else None, relu), k)
    run("linear_grad_input", [dy, w, dx], [m, k, n])
    assert_close(dx, reference.linear_grad_input(dy, w), n)
    run("linear_grad_weight", [dy, x, dw], [m, k, n])
    assert_close(dw, reference.linear_grad_weight(dy, x), m)


@pytest.mark.parametrize("m, k, n", SIZES)
@pytest.mark.parametrize("has_bias, relu", [(0, 0), (1, 1)])
def test_sizes(m, k, n, has_bias, relu):
    check(m, k, n, has_bias, relu)


@covers("linear_forward", "linear_grad_input", "linear_grad_weight")
@given(st.integers(0, 70), st.integers(1, 70), st.integers(1, 70), st.integers(0, 1),
       st.integers(0, 1))
def test_any_size(m, k, n, has_bias, relu):
    check(m, k, n, has_bias, relu, run=call)


@given(st.integers(1, 33), st.integers(100, 1100), st.integers(1, 70), st.integers(0, 1),
       st.integers(0, 1))
def test_few_rows_or_columns(m, k, n, has_bias, relu):
    check(m, k, n, has_bias, relu, run=call)


def test_long_sum_keeps_its_digits():
    """Positive terms do not cancel: a plain float32 sum of 200,000 loses 4 digits here."""
    rng = np.random.default_rng(0)
    dy, x = rng.random((200_000, 3), dtype=np.float32), rng.random((200_000, 5), dtype=np.float32)
    dw = blank((3, 5))
    call("linear_grad_weight", [dy, x, dw], [200_000, 5, 3])
    np.testing.assert_allclose(dw, reference.linear_grad_weight(dy, x), rtol=3e-6)


@pytest.mark.parametrize("m, k, n", [(3, 4, 2), (3, 200, 33), (50, 200, 2)])
def test_nan_passes_through_relu(m, k, n):
    x, w, y = np.ones((m, k), np.float32), np.ones((n, k), np.float32), blank((m, n))
    x[1, 2] = np.nan
    call("linear_forward", [x, w, blank(0), y], [m, k, n, 0, 1, m])
    assert np.isnan(y[1]).all() and (np.delete(y, 1, axis=0) == k).all()


@pytest.mark.parametrize("d", [(-1, 2, 3, 0, 0, 1), (1, 0, 3, 0, 0, 1), (1, 2, 0, 0, 0, 1)])
def test_contradictory_sizes(d):
    with pytest.raises(ValueError, match="linear needs"):
        registry.kernel("linear_forward").extents(d, 1)

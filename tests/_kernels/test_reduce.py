"""Sums against float64, and the check for finite values."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads
from tests.memory import blank
from tests.reference.reduce import reduce_sum

SHAPES = [
    (1, 1, 1), (1, 5, 1), (7, 33, 1), (3, 1025, 1), (500, 10, 1), (1, 300001, 1), (2, 70000, 1),
    (1, 32, 46), (1, 131, 7), (1, 3000, 3), (1, 20000, 10), (1, 9000, 31), (1, 5000, 64),
    (1, 1000, 33), (1, 128, 1025), (1, 9, 5000), (1, 0, 5), (3, 0, 1), (0, 4, 4), (4, 64, 0),
    (5, 49, 24), (64, 16, 17), (3, 900, 40), (200, 3, 65), (2, 40000, 2), (1, 70000, 8)]


@pytest.mark.parametrize("outer, reduce, inner", SHAPES)
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_reduce_sum(outer, reduce, inner, mean):
    x = np.random.default_rng(0).standard_normal((outer, reduce, inner)).astype(np.float32)
    x += np.float32(mean)
    x.flags.writeable = False
    scale = 1 / max(reduce, 1)
    y = np.full((outer, inner), 7, np.float32)
    call_all_threads("reduce_sum", [x, y], [outer, reduce, inner], [scale])
    # Two additions in float, then double: the error does not grow with the count.
    bound = 2.0**-23 * (np.abs(x).astype(np.float64).sum(1) * scale) + 1e-30
    assert (np.abs(y - reduce_sum(x, scale)) <= bound).all()


def test_nan_and_infinity_reach_only_their_sum():
    x = np.ones((1, 1000, 40), np.float32)
    x[0, 999, 3], x[0, 0, 39], x[0, 500, 20] = np.nan, np.inf, -np.inf
    y = blank((1, 40))
    call_all_threads("reduce_sum", [x, y], [1, 1000, 40], [1.0])
    expected = np.full((1, 40), 1000, np.float32)
    expected[0, [3, 39, 20]] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("n", [0, 1, 7, 9, 1000, 300001])
def test_all_finite(n):
    x = np.random.default_rng(1).standard_normal(n).astype(np.float32)
    flag = np.zeros(1, np.int64)
    call_all_threads("all_finite", [x, flag], [n])
    assert flag[0] == 1
    for bad in (np.nan, np.inf, -np.inf):
        for at in {0, n // 2, n - 1} if n else ():
            y = x.copy()
            y[at] = bad
            call_all_threads("all_finite", [y, flag], [n])
            assert flag[0] == 0


def test_largest_and_denormal_are_finite():
    flag = np.zeros(1, np.int64)
    call_all_threads("all_finite", [np.array([3.4028235e38, 1e-45, -0.0], np.float32), flag], [3])
    assert flag[0] == 1


def test_extents_refuse_negative_sizes():
    with pytest.raises(ValueError, match="negative"):
        registry.KERNELS["reduce_sum"].extents([1, -1, 2], 1)

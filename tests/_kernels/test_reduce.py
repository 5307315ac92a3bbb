"""Sums against float64, and the check for finite values."""

import numpy as np
import pytest

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads
from tests.memory import blank
from tests.reference.reduce import reduce_sum, sum_of_squares

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


def squares(tensors, factors):
    """What the kernel makes of tensors, at every thread count the same."""
    for x in tensors:
        x.flags.writeable = False
    y = blank(1, np.float64)
    call_all_threads("sum_of_squares", [*tensors, y], [len(tensors), *(x.size for x in tensors)],
                     factors)
    return float(y[0])


@pytest.mark.parametrize("sizes", [
    [], [0], [1], [7, 9, 16], [63, 0, 65], [460, 46, 460, 10], [32768], [32767, 2, 33000],
    [5, 0, 150000, 1, 17], [20000] * 7])
def test_sum_of_squares(sizes):
    rng = np.random.default_rng(0)
    tensors = [rng.standard_normal(n).astype(np.float32) + 1 for n in sizes]
    factors = [1.0, 1.25, 3.0, 0.5, 1.0, 2.0, 1.5][:len(sizes)]
    expected = sum_of_squares(tensors, factors)
    # The products are the twin's own; what is left is the rounding of doubles.
    assert squares(tensors, factors) == pytest.approx(expected, rel=1e-13, abs=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_shows_in_the_sum_of_squares(bad):
    sizes = [3, 40_001, 70]
    for tensor, place in ((0, 2), (1, 0), (1, 32_765), (1, 40_000), (2, 68), (2, 69)):
        tensors = [np.ones(n, np.float32) for n in sizes]
        tensors[tensor][place] = bad
        assert not np.isfinite(squares(tensors, [1.0] * 3))
    assert squares([np.ones(n, np.float32) for n in sizes], [1.0] * 3) == sum(sizes)


def test_squares_of_the_largest_and_least_numbers():
    """No false alarm where a square is beyond float32, and none where it is below."""
    largest = np.finfo(np.float32).max
    value = squares([np.full(100_000, largest, np.float32)], [1.0])
    assert value == pytest.approx(100_000 * float(largest) ** 2, rel=1e-13)
    assert squares([np.full(100, 1e-30, np.float32)], [1.0]) == pytest.approx(1e-58, rel=1e-6)
    # a product beyond float32 is not finite, wherever it is
    for place in (0, 15, 16, 64, 98):
        x = np.ones(99, np.float32)
        x[place] = 2.5e38
        assert np.isfinite(squares([x.copy(), x.copy()], [1.0, 1.25]))
        assert squares([x.copy(), x.copy()], [1.0, 1.5]) == np.inf


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
    for wrong in ([2, 3], [1, 3, 3], [1, -3]):
        with pytest.raises(ValueError, match="count of tensors"):
            registry.KERNELS["sum_of_squares"].extents(wrong, 1)

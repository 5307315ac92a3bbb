"""The largest and least along an axis, and values put back at their places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads, covers
from tests.memory import blank
from tests.reference import extreme as twin

SHAPES = [
    (1, 1, 1), (1, 5, 1), (7, 33, 1), (3, 1025, 1), (500, 10, 1), (1, 300001, 1), (2, 70000, 1),
    (5, 64, 1), (5, 63, 1), (5, 65, 1), (1, 32, 46), (1, 131, 7), (1, 3000, 3), (1, 20000, 10),
    (1, 5000, 64), (1, 1000, 33), (1, 128, 1025), (1, 9, 5000), (0, 4, 4), (4, 64, 0), (5, 49, 24),
    (64, 16, 17), (2, 40000, 2)]


def values(shape, kind, seed=0):
    """Standard normal values; few different ones; or with some NaN and infinities."""
    rng = np.random.default_rng(seed)
    if kind == "ties":
        return rng.integers(-2, 3, shape).astype(np.float32)
    x = rng.standard_normal(shape).astype(np.float32)
    if kind == "special" and x.size:
        for bad in (np.nan, np.inf, -np.inf):
            x.reshape(-1)[rng.integers(0, x.size, 1 + x.size // 100)] = bad
    return x


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["normal", "ties", "special"])
@pytest.mark.parametrize("largest", [False, True])
def test_extreme(shape, kind, largest):
    x = values(shape, kind)
    x.flags.writeable = False
    y, places = blank((shape[0], shape[2])), blank((shape[0], shape[2]), np.int64)
    call_all_threads("extreme", [x, y, places], [*shape, 1], [float(largest)])
    expected, expected_places = twin.extreme(x, largest)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(places, expected_places)
    alone, untouched = blank(y.shape), blank(0, np.int64)
    call_all_threads("extreme", [x, alone, untouched], [*shape, 0], [float(largest)])
    np.testing.assert_array_equal(alone, y)


@covers("extreme")
@given(st.integers(0, 9), st.integers(1, 400), st.integers(0, 90),
       st.sampled_from(["normal", "ties", "special"]), st.booleans())
def test_extremes_of_any_shape(outer, reduce, inner, kind, largest):
    test_extreme((outer, reduce, inner), kind, largest)


@pytest.mark.parametrize("shape, count", [
    ((1, 1, 1), 1), ((3, 5, 1), 5), ((7, 33, 1), 1), ((1, 300001, 1), 3), ((4, 9, 24), 2),
    ((1, 9, 5000), 1), ((1, 5000, 64), 4), ((0, 4, 4), 1), ((4, 64, 0), 1), ((2, 7, 3), 0)])
def test_scatter_places(shape, count):
    outer, size, inner = shape
    rng = np.random.default_rng(1)
    places = np.stack([rng.permutation(size)[:count] for _ in range(outer * inner)] or [
        np.empty(count, np.int64)])[:outer * inner].reshape(outer, inner, count)
    places = np.ascontiguousarray(places.transpose(0, 2, 1)).astype(np.int64)
    dy = rng.standard_normal((outer, count, inner)).astype(np.float32)
    dy.flags.writeable = places.flags.writeable = False
    dx = blank(shape)
    call_all_threads("scatter_places", [dy, places, dx], [*shape, count])
    np.testing.assert_array_equal(dx, twin.scatter_places(dy, places, size))


@covers("scatter_places")
@given(st.integers(0, 9), st.integers(1, 300), st.integers(0, 40), st.integers(0, 5))
def test_places_of_any_shape(outer, size, inner, count):
    test_scatter_places((outer, size, inner), min(count, size))


def test_places_from_outside_are_left_out():
    dy, dx = np.ones((1, 4, 1), np.float32), blank((1, 3, 1))
    call_all_threads("scatter_places", [dy, np.array([-1, 3, 2**62, 1]).reshape(dy.shape), dx],
                     [1, 3, 1, 4])
    np.testing.assert_array_equal(dx.ravel(), [0, 1, 0])


def test_extents_refuse_what_has_no_largest_value():
    with pytest.raises(ValueError, match="no largest"):
        registry.KERNELS["extreme"].extents([1, 0, 2, 1], 1)
    for name in ("extreme", "scatter_places"):
        with pytest.raises(ValueError, match="negative"):
            registry.KERNELS[name].extents([1, 3, -2, 1], 1)

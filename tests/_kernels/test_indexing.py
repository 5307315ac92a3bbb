"""Kernels that take elements by their places, against plain loops: odd sizes, places outside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads, covers
from tests.memory import blank
from tests.reference import indexing as reference

ABSURD = [-1, -2**62, 2**62, -2**63, 2**63 - 1]


def table(rng, places, taps, size, weighted):
    """Places, one in four of them outside, and weights or None."""
    index = rng.integers(0, max(size, 1), (places, taps))
    outside = rng.random(index.shape) < 0.25
    index[outside] = rng.choice([*ABSURD, size], outside.sum())
    weight = rng.standard_normal(index.shape).astype(np.float32) if weighted else None
    return index, weight


def frozen(*arrays):
    """The arrays as inputs; none: an empty one."""
    found = [np.zeros(0, np.float32) if array is None else array for array in arrays]
    for array in found:
        array.flags.writeable = False
    return found


def check_take(n, h, w, c, oh, ow, h_taps, w_taps, weighted=(False, False), seed=0):
    """h_taps 0: without places of rows."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, h, w, c)).astype(np.float32)
    rows, row_weight = table(rng, oh, h_taps, h, weighted[0]) if h_taps else (None, None)
    index, weight = table(rng, ow, w_taps, w, weighted[1])
    oh = oh if h_taps else h
    expected = reference.take(x, rows, row_weight, index, weight, 2.5)
    y = blank((n, oh, ow, c))
    inputs = frozen(rows, row_weight, index, weight)
    x.flags.writeable = False
    d = [n, h, w, c, oh, ow, max(h_taps, 1), w_taps, bool(h_taps), row_weight is not None,
         weight is not None]
    call_all_threads("take", [x, y, *inputs], d, [2.5])
    # sums of up to 100 products
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("c", [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 70, 130])
def test_take_of_any_channels(c):
    check_take(2, 3, 5, c, 4, 7, 1, 1)
    check_take(2, 3, 5, c, 4, 7, 2, 2, (True, True))
    check_take(2, 3, 5, c, 4, 7, 1, 2, (False, True))
    check_take(1, 2, 5, c, 0, 6, 0, 1)
    check_take(1, 2, 5, c, 0, 6, 0, 4, (False, True))
    check_take(1, 3, 5, c, 2, 6, 3, 2)


@pytest.mark.parametrize("taps", [(9, 9), (1, 70), (64, 1), (65, 1)])
def test_take_of_many_taps(taps):
    check_take(1, 4, 6, 5, 3, 2, *taps, (True, True))


@pytest.mark.parametrize("shape", [
    (1, 1, 3, 40000, 0, 4),        # rows of more than a chunk
    (1, 1, 50, 300, 0, 140),       # lines of several chunks
    (3000, 1, 8, 1, 0, 8),         # many lines in each chunk
    (1, 40, 40, 16, 80, 80), (0, 3, 3, 4, 3, 3), (2, 3, 3, 0, 3, 3), (2, 3, 3, 4, 3, 0),
    (2, 0, 3, 4, 2, 3), (2, 3, 0, 4, 3, 2)])
def test_take_of_any_size(shape):
    taps = 1 if shape[4] else 0
    check_take(*shape, taps, 1)


def test_neighbours_are_copied_together():
    x = np.arange(60, dtype=np.float32).reshape(1, 2, 10, 3)
    index = np.array([[-1], [0], [1], [2], [9], [8], [7], [8], [9], [10], [4]])
    y = blank((1, 2, 11, 3))
    empty = np.zeros(0, np.float32)
    call_all_threads("take", [x, y, empty, empty, index, empty],
                     [1, 2, 10, 3, 2, 11, 1, 1, 0, 0, 0], [7.0])
    np.testing.assert_array_equal(y, reference.take(x, None, None, index, None, 7.0))


def test_take_copies_the_bits_of_integers():
    x = np.array([[2**40 + 3, -5], [0x7FA00001FF800001, 9]])
    index = np.array([[1], [0], [1]])
    y, empty = blank((3, 2), np.int64), np.zeros(0, np.float32)
    call_all_threads("take", [x.view(np.float32), y.view(np.float32), empty, empty, index, empty],
                     [1, 1, 2, 4, 1, 3, 1, 1, 0, 0, 0], [0.0])
    np.testing.assert_array_equal(y, x[index[:, 0]])


def check_backward(outer, rows, places, taps, inner, weighted=False, skip=-1, seed=0):
    rng = np.random.default_rng(seed)
    index, weight = table(rng, places, taps, rows, weighted)
    dy = rng.standard_normal((outer, places, inner)).astype(np.float32)
    dx = blank((outer, rows, inner))
    expected = reference.take_backward(dy, index, weight, rows, skip)
    d = [outer, rows, places, taps, inner, skip, weighted]
    call_all_threads("take_backward", [*frozen(dy, index, weight), dx], d)
    # sums of some dozens of terms
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=3e-5)


@pytest.mark.parametrize("inner", [1, 3, 4, 8, 15, 16, 17, 33, 64, 100])
def test_take_backward(inner):
    check_backward(1, 7, 12, 1, inner)
    check_backward(3, 7, 12, 1, inner, skip=2)
    check_backward(2, 5, 6, 3, inner, weighted=True)


@pytest.mark.parametrize("shape", [
    (1, 300, 600, 1, 70), (1, 5000, 40000, 1, 1), (1, 7, 300, 1, 700), (5, 11, 300, 1, 37),
    (40, 11, 30, 1, 37), (0, 3, 4, 1, 5), (2, 0, 4, 1, 5), (2, 3, 0, 1, 5), (2, 3, 4, 1, 0)])
def test_take_backward_of_any_size(shape):
    check_backward(*shape)


def check_gather(outer, rows, places, inner, seed=0):
    rng = np.random.default_rng(seed)
    index = table(rng, outer * places, inner, rows, False)[0].reshape(outer, places, inner)
    for dtype in (np.float32, np.int64):
        x = (100 * rng.standard_normal((outer, rows, inner))).astype(dtype)
        y = blank(index.shape, dtype)
        call_all_threads("gather", [*frozen(x, index), y],
                         [outer, rows, places, inner, np.dtype(dtype).itemsize // 4])
        np.testing.assert_array_equal(y, reference.gather(x, index))
    dy, dx = rng.standard_normal(index.shape).astype(np.float32), blank((outer, rows, inner))
    call_all_threads("gather_backward", [*frozen(dy, index), dx], [outer, rows, places, inner, 1])
    # sums of some dozens of terms
    np.testing.assert_allclose(dx, reference.gather_backward(dy, index, rows), rtol=1e-5,
                               atol=3e-5)


@pytest.mark.parametrize("shape", [
    (1, 5, 7, 1), (3, 5, 7, 2), (70, 3, 2, 1), (2, 9, 4, 100), (3, 40, 300, 70), (1, 9, 20000, 1),
    (200, 1, 1, 1), (0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)])
def test_gather(shape):
    check_gather(*shape)


def test_gather_refuses_other_elements():
    for name, words in (("gather", 3), ("gather_backward", 2)):
        with pytest.raises(ValueError, match="gather"):
            registry.kernel(name).extents([1, 2, 3, 4, words], 1)


def check_places(shape, size, stride, a_wide=True, b_wide=True, seed=0):
    """a or b of size 1 along the first axis if not wide."""
    rng = np.random.default_rng(seed)
    a_shape, b_shape = ((size if wide else 1, *shape[1:])
                        for size, wide in ((shape[0], a_wide), (shape[0], b_wide)))
    a, b = rng.integers(-size - 1, size + 1, a_shape), rng.integers(-1, 5, b_shape)
    a.reshape(-1)[:len(ABSURD)] = ABSURD[:a.size]
    y = blank(shape, np.int64)
    row = int(np.prod(shape[1:]))
    d = [0, 2, shape[0], row, row * a_wide, 1, row * b_wide, 1]
    call_all_threads("places", [*frozen(a, b), y], d, [size, stride])
    np.testing.assert_array_equal(y, np.broadcast_to(reference.places(a, b, size, stride), shape))


@pytest.mark.parametrize("shape", [(1, 7), (3, 5), (300, 200)])
def test_places(shape):
    for a_wide, b_wide in ((True, True), (False, True), (True, False)):
        check_places(shape, 6, 11, a_wide, b_wide)


sizes, counts, seeds = st.integers(0, 9), st.integers(0, 40), st.integers(0, 99)


@covers("take")
@given(st.integers(0, 3), sizes, sizes, counts, sizes, sizes, st.integers(0, 4), st.integers(1, 4),
       st.tuples(st.booleans(), st.booleans()), seeds)
def test_take_of_random_sizes(n, h, w, c, oh, ow, h_taps, w_taps, weighted, seed):
    check_take(n, h, w, c, oh, ow, h_taps, w_taps, weighted, seed)


@covers("take_backward")
@given(st.integers(0, 3), sizes, counts, st.integers(1, 3), counts, st.booleans(),
       st.integers(-1, 9), seeds)
def test_take_backward_of_random_sizes(outer, rows, places, taps, inner, weighted, skip, seed):
    check_backward(outer, rows, places, taps, inner, weighted, skip, seed)


@covers("gather", "gather_backward")
@given(st.integers(0, 5), sizes, sizes, counts, seeds)
def test_gather_of_random_sizes(outer, rows, places, inner, seed):
    check_gather(outer, rows, places, inner, seed)


@covers("places")
@given(st.integers(1, 9), counts, st.integers(1, 9), st.integers(-3, 9), st.booleans(),
       st.booleans(), seeds)
def test_places_of_random_sizes(rows, columns, size, stride, a_wide, b_wide, seed):
    check_places((rows, columns), size, stride, a_wide, b_wide, seed)

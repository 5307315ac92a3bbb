"""Kernels of integers: relations with broadcasting, and float32 of them."""

import numpy as np
import pytest
from fastnn._kernels.pointwise.compare import RELATIONS
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads, covers
from tests._kernels.test_pointwise import BROADCASTS, broadcast_strides
from tests.memory import blank

TWINS = {"eq": np.equal, "ne": np.not_equal, "gt": np.greater, "ge": np.greater_equal}
SPECIAL = np.array([0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)])


def check(a, b, relations=RELATIONS):
    shape = np.broadcast_shapes(a.shape, b.shape)
    strides = [stride for array in (a, b)
               for stride in broadcast_strides(array.astype(np.float32), shape)]
    d = [len(shape), *shape, *strides]
    a.flags.writeable = b.flags.writeable = False
    for name in relations:
        y = blank(shape, np.float32)
        call_all_threads("compare_index", [a, b, y], [RELATIONS.index(name), *d])
        np.testing.assert_array_equal(y, TWINS[name](a, b))


@pytest.mark.parametrize("a_shape, b_shape", BROADCASTS)
def test_broadcasts(a_shape, b_shape):
    rng = np.random.default_rng(0)
    check(np.asarray(rng.integers(-2, 3, a_shape)), np.asarray(rng.integers(-2, 3, b_shape)))


def test_values():
    check(SPECIAL[:, None], SPECIAL[None])


@covers("compare_index")
@given(st.lists(st.integers(1, 7), max_size=4), st.integers(0, 15), st.integers(0, 99))
def test_any_shape(shape, dropped, seed):
    rng = np.random.default_rng(seed)
    other = [1 if dropped >> i & 1 else size for i, size in enumerate(shape)]
    check(np.asarray(rng.integers(-2, 3, shape)), np.asarray(rng.integers(-2, 3, other)), ["gt"])


@covers("float_of_index")
@given(st.integers(0, 100_000), st.integers(0, 99))
def test_float_of_index(n, seed):
    x = np.random.default_rng(seed).integers(-2**63, 2**63 - 1, n)
    x[: len(SPECIAL)] = SPECIAL[:n]
    y = blank(n, np.float32)
    call_all_threads("float_of_index", [x, y], [n])
    np.testing.assert_array_equal(y, x.astype(np.float32))


@pytest.mark.parametrize("d, message", [
    ([4, 1, 3, 1, 1], "relation 4"), ([-1, 1, 3, 1, 1], "relation -1"), ([0, 9], "8 dimensions"),
    ([0, 1, 3, -1, 1], "before the buffer")])
def test_arguments_out_of_range(d, message):
    with pytest.raises(ValueError, match=message):
        registry.kernel("compare_index").extents(d, 1)


@covers("index_of_float")
@given(st.integers(0, 100_000), st.integers(0, 99))
def test_index_of_float(n, seed):
    x = (np.random.default_rng(seed).standard_normal(n) * 1000).astype(np.float32)
    odd = [0.0, -0.5, 0.99, -1.99, 2.0**62, -(2.0**63), 2.0**63, -np.inf, np.inf, np.nan]
    x[: len(odd)] = odd[:n]
    y = blank(n, np.int64)
    call_all_threads("index_of_float", [x, y], [n])
    inside = (x >= -(2.0**63)) & (x < 2.0**63)
    np.testing.assert_array_equal(y, np.where(inside, np.where(inside, x, 0).astype(np.int64),
                                              -(2**63)))

"""Sorted rows and their places, against Python's sort."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads, covers
from tests._kernels.test_extreme import values
from tests.memory import blank
from tests.reference import sort as twin

KINDS = ["normal", "ties", "special"]


@pytest.mark.parametrize("rows, n, k", [
    (1, 1, 1), (3, 2, 2), (7, 16, 16), (5, 17, 17), (4, 31, 9), (4, 33, 33), (2, 64, 64),
    (2, 100, 33), (9, 100, 5), (3, 129, 32), (3, 128, 32), (3, 127, 32), (600, 30, 30),
    (40, 1000, 1), (2, 9000, 9000), (3, 5, 0), (0, 5, 2), (4, 0, 0)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
def test_sort_rows(rows, n, k, kind, descending):
    x = values((rows, n), kind)
    x.flags.writeable = False
    y, places = blank((rows, k)), blank((rows, k), np.int64)
    call_all_threads("sort_rows", [x, y, places], [rows, n, k, descending])
    expected, expected_places = twin.sort_rows(x, k, descending)
    np.testing.assert_array_equal(places, expected_places)
    np.testing.assert_array_equal(y, expected)


@covers("sort_rows")
@given(st.integers(0, 20), st.integers(0, 200), st.integers(0, 200), st.sampled_from(KINDS),
       st.booleans())
def test_rows_of_any_length(rows, n, k, kind, descending):
    test_sort_rows(rows, n, min(n, k), kind, descending)


def test_zeros_of_both_signs_are_equal_and_denormals_are_not():
    x = np.array([[0.0, -0.0, 1e-45, -0.0, -1e-45, 0.0]], np.float32)
    for descending, order in ((0, [4, 0, 1, 3, 5, 2]), (1, [2, 0, 1, 3, 5, 4])):
        y, places = blank((1, 6)), blank((1, 6), np.int64)
        call_all_threads("sort_rows", [x, y, places], [1, 6, 6, descending])
        assert places.tolist() == [order]
        assert y.tobytes() == x[0, order].tobytes()


def test_extents_refuse_impossible_rows():
    for d in ([1, 5, 6, 0], [1, 2**32, 2, 0], [-1, 3, 2, 0], [1, 3, -1, 0]):
        with pytest.raises(ValueError, match="values in a row"):
            registry.KERNELS["sort_rows"].extents(d, 1)

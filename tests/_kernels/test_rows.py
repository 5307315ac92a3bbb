"""Updates of the rows that a batch used, against float64 and against the update of all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests._kernels.call import call_all_threads, covers
from tests.memory import blank
from tests.reference import rows as twin

SIZES = [(1, 1, 1), (5, 3, 4), (40, 17, 7), (300, 64, 5000), (33, 1000, 50), (2000, 9, 70000),
         (0, 5, 4), (100, 16, 2048), (100, 16, 2049)]


def check(n, width, count, seed, decay=0.0, left_out=-1, clip=(1.0, np.inf)):
    """Sums of rows and SGD's step; a few indices are out of range."""
    rng = np.random.default_rng(seed)
    dy = rng.standard_normal((n, width)).astype(np.float32)
    index = rng.integers(-1, count + 1, n)
    index[: n // 2] = index[: n // 2] % max(count // 3, 1)  # many are the same
    w = rng.standard_normal((count, width)).astype(np.float32)
    for array in (dy, index):
        array.flags.writeable = False
    sums, rows = blank((n, width)), blank((n,), np.int64)
    call_all_threads("row_sums", [dy, index, sums, rows], [n, width, count, left_out])
    expected_sums, expected_rows = twin.row_sums(dy.astype(np.float64), index, count, left_out)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(sums, expected_sums, rtol=1e-6, atol=1e-5)
    expected = twin.sgd_rows(*clip, 0.1, decay, w.astype(np.float64), sums.astype(np.float64), rows)
    steps = np.array([7, 3])
    dense = np.zeros((count, width), np.float32)
    dense[rows[rows >= 0]] = sums[rows >= 0]
    same = w.copy()
    hyper = np.array([*clip, 0.1, decay])
    call_all_threads("sgd_rows", [hyper, steps, w, sums, rows], [count, width, n, 1])
    call_all_threads("sgd", [hyper, np.array([0]), same, dense], [1, count * width, 0])
    np.testing.assert_allclose(w, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(steps, [7, 4])
    assert w.tobytes() == same.tobytes(), "not the bits of the update of all rows"


@pytest.mark.parametrize(("n", "width", "count"), SIZES)
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_rows(n, width, count, decay):
    check(n, width, count, 0, decay, left_out=min(2, count - 1))


def test_gradients_that_are_scaled_and_clipped():
    check(300, 64, 5000, 1, clip=(-0.5, 1.0))
    check(300, 64, 5000, 1, decay=0.01, clip=(0.5, 0.25))


@covers("row_sums", "sgd_rows")
@given(st.integers(0, 60), st.integers(1, 40), st.integers(1, 5000), st.integers(0, 99),
       st.sampled_from([0.0, 0.5]), st.integers(-1, 3))
def test_random_rows(n, width, count, seed, decay, left_out):
    check(n, width, count, seed, decay, left_out)

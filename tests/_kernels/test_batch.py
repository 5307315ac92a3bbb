"""Products of batches of matrices against float64: threads, tails, empty sizes, shared operands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn._kernels import registry
from tests._kernels.call import call, call_all_threads, covers
from tests._kernels.test_linear import assert_close
from tests.memory import blank
from tests.reference import linear as reference

# batches that are dealt to threads, and of few large matrices; one row, one column, long sums
SIZES = [
    (1, 1, 1, 1), (3, 2, 3, 5), (7, 13, 33, 31), (40, 64, 65, 17), (3, 100, 90, 70),
    (2, 385, 40, 48), (33, 1, 130, 66), (5, 130, 700, 1), (4, 1, 1, 1), (9, 32, 1030, 70),
    (6, 26, 1200, 34), (64, 32, 32, 32), (1, 300, 200, 100),
]


def check(batch, m, k, n, one_a=0, one_b=0, run=call_all_threads):
    rng = np.random.default_rng(batch * 1000003 + m * 10007 + k * 101 + n)
    a = rng.standard_normal((1 if one_a else batch, m, k), dtype=np.float32)
    b = rng.standard_normal((1 if one_b else batch, k, n), dtype=np.float32)
    expected = np.broadcast_to(reference.matmul(a, b), (batch, m, n))
    at, bt = (np.ascontiguousarray(x.transpose(0, 2, 1)) for x in (a, b))
    for array in (a, b, at, bt):
        array.flags.writeable = False
    for name, operands in (("matmul", [a, b]), ("matmul_bt", [a, bt]), ("matmul_at", [at, b])):
        y = blank((batch, m, n))
        run(name, [*operands, y], [batch, m, k, n, one_a, one_b, m])
        assert_close(y, expected, k)


@pytest.mark.parametrize("batch, m, k, n", SIZES)
def test_sizes(batch, m, k, n):
    check(batch, m, k, n)


@pytest.mark.parametrize("one_a, one_b", [(1, 0), (0, 1), (1, 1)])
def test_an_operand_for_all_of_the_batch(one_a, one_b):
    check(12, 40, 33, 50, one_a, one_b)


@pytest.mark.parametrize("sizes", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)])
def test_sizes_of_zero(sizes):
    check(*sizes)


@covers("matmul", "matmul_bt", "matmul_at")
@given(st.integers(0, 9), st.integers(0, 40), st.integers(0, 70), st.integers(0, 40),
       st.integers(0, 1), st.integers(0, 1))
def test_any_size(batch, m, k, n, one_a, one_b):
    check(batch, m, k, n, one_a, one_b, run=call)


@pytest.mark.parametrize("name", ["matmul", "matmul_bt", "matmul_at"])
def test_a_matrix_has_the_bits_that_it_has_alone(name):
    rng = np.random.default_rng(3)
    m, k, n = 70, 90, 50
    a, b = (rng.standard_normal((8, *s), dtype=np.float32)
            for s in ((k, m) if name.endswith("at") else (m, k),
                      (n, k) if name.endswith("bt") else (k, n)))
    y, one = blank((8, m, n)), blank((1, m, n))
    call(name, [a, b, y], [8, m, k, n, 0, 0, m], threads=2)
    call(name, [a[5:6].copy(), b[5:6].copy(), one], [1, m, k, n, 0, 0, m], threads=2)
    np.testing.assert_array_equal(y[5], one[0])


@pytest.mark.parametrize("name", ["matmul", "matmul_bt", "matmul_at"])
def test_negative_sizes(name):
    with pytest.raises(ValueError, match="matmul needs"):
        registry.kernel(name).extents((1, -1, 2, 3, 0, 0, 1), 1)

"""Products whose shapes or equations do not fit: an error that names the operation; empty sizes."""

import numpy as np
import pytest

import fastnn as fn


def _ones(*shape):
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: fn.matmul(_ones(2, 3), _ones(4, 5)), r"matmul: .*3 columns meet 4 rows"),
    (lambda: fn.matmul(_ones(2, 3, 4), _ones(3, 4, 5)), "batches of .* do not broadcast"),
    (lambda: fn.matmul(_ones(), _ones(4)), "takes no scalars"),
    (lambda: fn.bmm(_ones(2, 3), _ones(3, 4)), "bmm takes a batch of matrices"),
    (lambda: fn.bmm(_ones(2, 3, 4), _ones(3, 4, 5)), "bmm: batches of 2 and 3"),
    (lambda: fn.bmm(_ones(2, 3, 4), _ones(2, 3, 5)), "bmm: .*4 columns meet 3 rows"),
    (lambda: fn.mm(_ones(3), _ones(3, 4)), "mm takes a matrix and a matrix"),
    (lambda: fn.mv(_ones(3, 4), _ones(4, 1)), "mv takes a matrix and a vector"),
    (lambda: fn.dot(_ones(3), _ones(4)), "3 columns meet 4 rows"),
    (lambda: fn.outer(_ones(3, 1), _ones(4)), "outer takes"),
    (lambda: fn.inner(_ones(3, 2), _ones(4, 3)), "inner: the last axes"),
    (lambda: fn.addmm(_ones(4), _ones(2, 3), _ones(3, 5)), r"addmm: input \(4,\)"),
    (lambda: fn.addbmm(_ones(4), _ones(2, 2, 3), _ones(3, 3, 5)), "addbmm: batches"),
    (lambda: fn.bilinear(_ones(2, 3), _ones(2, 4), _ones(5, 4, 3)), "bilinear: inputs"),
    (lambda: fn.bilinear(_ones(2, 3), _ones(2, 4), _ones(5, 3, 4), _ones(4)), "bilinear: bias"),
    (lambda: fn.linear(_ones(2, 3), _ones(4, 3), _ones(2)), "linear: bias"),
    (lambda: fn.linear(_ones(2, 3), _ones(2, 4, 3)), "linear: input"),
    (lambda: fn.einsum("ij,jk->ik", _ones(2, 3), _ones(4, 5)), "'j' stands for sizes 3 and 4"),
    (lambda: fn.einsum("ij->i", _ones(2)), "names 2 axes, and its operand has 1"),
    (lambda: fn.einsum("ii->i", _ones(2, 3)), "axes of sizes 2 and 3"),
    (lambda: fn.tensordot(_ones(2, 3), _ones(2, 3), 1), "tensordot: axes"),
    (lambda: fn.tensordot(_ones(2, 3), _ones(3, 2), 3), "dims 3 is too many"),
])
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(fn.ShapeError, match=message):
        call()


@pytest.mark.parametrize("equation", [
    "ij,jk->ik", "i1->i", "ij->k", "ij->ii", "i.j->", "ij->ij->i"])
def test_equations_that_are_none(equation):
    with pytest.raises(ValueError, match="einsum"):
        fn.einsum(equation, _ones(2, 3))


def test_types():
    with pytest.raises(TypeError, match="takes an equation"):
        fn.einsum(_ones(2, 3), "ij->i")
    with pytest.raises(ValueError, match="needs an operand"):
        fn.einsum("->")
    with pytest.raises(TypeError, match="addmm: beta must be a number"):
        fn.addmm(_ones(5), _ones(2, 3), _ones(3, 5), beta=_ones(1))
    with pytest.raises(TypeError, match="tensordot: dims"):
        fn.tensordot(_ones(2, 3), _ones(3, 2), "1")
    with pytest.raises(fn.ShapeError, match="float32"):
        fn.matmul(np.ones((2, 3), np.int64), _ones(3, 4))


@pytest.mark.parametrize(("a", "b"), [
    ((0, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((0, 2, 3), (0, 3, 4)), ((0,), (0,)),
    ((5, 2, 0), (5, 0, 4)), ((0, 2, 3), (3,)), ((2, 0, 3), (2, 3, 1))])
def test_empty_sizes(a, b):
    got, expected = fn.matmul(_ones(*a), _ones(*b)), _ones(*a) @ _ones(*b)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


def test_linear_of_no_rows():
    assert fn.linear(_ones(0, 3), _ones(4, 3), _ones(4)).shape == (0, 4)
    np.testing.assert_array_equal(fn.linear(_ones(2, 0), _ones(4, 0), _ones(4)), _ones(2, 4))

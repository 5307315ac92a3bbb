"""Tensors of one value and sequences: arrays outside of a forward, symbolic tensors inside."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import Tensor

MADE = {
    "zeros": (lambda: fn.zeros(2, 3), np.zeros((2, 3), np.float32)),
    "zeros of a tuple": (lambda: fn.zeros((2, 1, 3, 1)), np.zeros((2, 1, 3, 1), np.float32)),
    "ones of integers": (lambda: fn.ones(2, dtype=np.int64), np.ones(2, np.int64)),
    "full": (lambda: fn.full((2, 3), 0.5), np.full((2, 3), 0.5, np.float32)),
    "full of an integer": (lambda: fn.full((2,), 3), np.full(2, 3)),
    "full, a scalar": (lambda: fn.full((), 2.5), np.float32(2.5)),
    "arange": (lambda: fn.arange(5), np.arange(5)),
    "arange down": (lambda: fn.arange(7, 0, -3), np.array([7, 4, 1])),
    "arange of floats": (lambda: fn.arange(0.5, 2, 0.5), np.array([0.5, 1, 1.5], np.float32)),
    "linspace": (lambda: fn.linspace(-1, 1, 5), np.linspace(-1, 1, 5, dtype=np.float32)),
    "eye": (lambda: fn.eye(2, 3), np.eye(2, 3, dtype=np.float32)),
}


class _Maker(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        made = self.make()
        assert isinstance(made, Tensor)
        return made, x


@pytest.mark.parametrize("name", MADE)
def test_outside_and_inside_of_a_forward(name):
    make, expected = MADE[name]
    made, _ = _Maker(make)(np.ones(1, np.float32))
    for value in (make(), made):
        assert value.dtype == expected.dtype
        np.testing.assert_array_equal(value, expected)


def test_parameters_begin_with_them():
    assert nn.Parameter(fn.zeros(3, 2)).shape == (3, 2)


@pytest.mark.parametrize(("wrong", "error", "words"), [
    (lambda: fn.zeros(2, dtype=np.float64), TypeError, "dtype must be np.float32 or np.int64"),
    (lambda: fn.ones(2, dtype="no type"), TypeError, "dtype must be"),
    (lambda: fn.full((2, -1), 0.0), fn.ShapeError, "negative"),
    (lambda: fn.arange(3, 0), ValueError, "do not lead"),
    (lambda: fn.arange(3, 0, 0), ValueError, "do not lead"),
    (lambda: fn.linspace(0, 1, -1), ValueError, "steps"),
    (lambda: fn.tril(fn.ones(3)), fn.ShapeError, "matrix"),
])
def test_what_makes_no_sense(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()

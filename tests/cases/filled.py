"""Tensors of one value, sequences, triangles, and changes of dtype."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, classes

IMAGES = (2, 3, 5, 4)


def _of_infinities(x):
    """The lower triangle, where all above is infinite or no number."""
    return fn.tril(x + np.triu(np.full(x.shape[-2:], np.inf, np.float32), 1))


CASES = [
    Case("zeros_like, ones_like, full_like",
         lambda x: fn.zeros_like(x) + 2 * fn.ones_like(x) * x + fn.full_like(x, 0.5),
         lambda x: 2 * x + 0.5, (IMAGES,)),
    Case("full_like of a scalar", lambda x: x * fn.full_like(x, 3), lambda x: 3 * x, ((),)),
    Case("new_zeros, new_ones", lambda x: fn.cat([x, x.new_zeros(2, 3), x.new_ones((1, 3))]),
         lambda x: np.concatenate([x, np.zeros((2, 3)), np.ones((1, 3))]), ((2, 3),)),
    Case("new_full of integers", lambda x: fn.stack([x, x.new_full((3,), 7)]),
         lambda x: np.stack([x, np.full(3, 7)]), (classes(9, 3),)),
    Case("tril", fn.tril, np.tril, ((3, 4, 5),)),
    Case("tril(-1) of images", lambda x: x.tril(-1), lambda x: np.tril(x, -1), (IMAGES,)),
    Case("tril beside infinities", _of_infinities, np.tril, ((4, 4),)),
    Case("triu(1)", lambda x: x.triu(diagonal=1), lambda x: np.triu(x, 1), ((5, 3),)),
    Case("long", lambda x: (x * 10).long(), lambda x: np.trunc(x * 10).astype(np.int64),
         (np.linspace(-3, 3, 35).reshape(5, 7) + 0.003,), differentiable=()),
    Case("type_as", lambda x, n: x.type_as(n).float() + n.type_as(x),
         lambda x, n: np.trunc(x) + n,
         (np.linspace(-3.1, 3, 6), classes(9, 6)), differentiable=()),
]

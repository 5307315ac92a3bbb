"""Comparisons of floats and of integers, masks joined, integers as floats, and detach."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, classes, few
from tests.cases.pointwise import SHAPE, binary

COUNTS = np.arange(210).reshape(SHAPE) % 7 - 3
BIG = np.array([2**53, 2**53 + 1, -(2**62), 2**62 - 1, 0])  # float32 and float64 do not tell apart
RELATIONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal,
}


def as_mask(relation):
    """The twin of a relation: 1.0 and 0.0."""
    return lambda a, b: relation(a, b) * 1.0


CASES = [binary(name, as_mask(relation), few(*SHAPE), few(*SHAPE), differentiable=())
         for name, relation in RELATIONS.items()]
CASES += [Case(f"{name} of integers", getattr(fn, name), as_mask(relation),
               (classes(4, *SHAPE), classes(4, 3, 1, 1)))
          for name, relation in RELATIONS.items()]
CASES += [
    Case("masks times values", lambda x, y: x * (x > y) + 3 * y * (x <= y) * (y == -1),
         lambda x, y: x * (x > y) + 3 * y * (x <= y) * (y == -1), (few(6, 17), few(17)),
         differentiable=(0, 1),
         gradient=lambda dy, x, y: (dy * (x > y), (3 * dy * (x <= y) * (y == -1)).sum(0))),
    Case("comparisons with numbers", lambda x: (x == 1) + 2 * (x != 0) + 4 * (x < -1) + 8 * (x >= 2)
         + 16 * (x < 1.5) + 32 * (x >= np.float32(0)),
         lambda x: (x == 1) + 2.0 * (x != 0) + 4 * (x < -1) + 8 * (x >= 2) + 16 * (x < 1.5)
         + 32 * (x >= 0), (few(*SHAPE),), differentiable=()),
    Case("arrays on either side", lambda x: (np.arange(-3, 4) == x) + 2 * (x < np.arange(-3, 4))
         + 4 * (np.float32(1) > x) + 8 * (np.arange(7) % 2 * x),
         lambda x: (x == np.arange(-3, 4)) + 2.0 * (x < np.arange(-3, 4)) + 4 * (x < 1)
         + 8 * (np.arange(7) % 2 * x), (few(*SHAPE),), gradient=lambda dy, x: (
             8 * dy * (np.arange(7) % 2),)),
    Case("integers and numbers", lambda y: (y == 3) + 2 * (y != -100) + 4 * (y < 2.0) + 8 * (y >= 1)
         + 16 * (y > np.array([0, 1, 2, 3, 4, 5, 6])),
         lambda y: (y == 3) + 2.0 * (y != -100) + 4 * (y < 2) + 8 * (y >= 1)
         + 16 * (y > np.arange(7)), (classes(7, 2, 3, 5, 7),)),
    Case("integers beyond 2**53", lambda a, b: (a == b) + 2 * (a < b), lambda a, b: (
        (a == b) + 2.0 * (a < b)), (BIG[:, None], BIG)),
    Case("masks joined", lambda x, y: (x > 0) & (y > 0) | ~(x == -2) & (y < 0) ^ (x < y),
         lambda x, y: ((x > 0) & (y > 0) | ~(x == -2) & (y < 0) ^ (x < y)) * 1.0,
         (few(*SHAPE), few(3, 1, 1)), differentiable=()),
    Case("integers as floats", lambda x, y: x * y.float() - y.float() / 4 + x.float(),
         lambda x, y: x * y - y / 4 + x, (SHAPE, COUNTS)),
    Case("detach", lambda x, y: x * (x * y).detach() + fn.detach(y), lambda x, y: x * x * y + y,
         (SHAPE, SHAPE), differentiable=(0, 1),
         gradient=lambda dy, x, y: (dy * x * y, np.zeros_like(y))),
    Case("length and sizes", lambda x: x.sum(0) / len(x) + x[1] * x.size(-1) / x.size,
         lambda x: x.sum(0) / 3 + x[1] * 7 / 105, ((3, 5, 7),)),
]

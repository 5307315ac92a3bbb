"""Activation functions over an axis, and those that choose between rows of the table."""

import numpy as np
from scipy import special

import fastnn as fn
from tests.cases.case import Case
from tests.cases.pointwise import SHAPE, _gelu_tanh


def _glu(x, dim):
    a, b = np.split(x, 2, dim)
    return a * special.expit(b)


def _maxout(x, k, dim):
    moved = np.moveaxis(x, dim, -1)
    return np.moveaxis(moved.reshape(*moved.shape[:-1], -1, k).max(-1), -1, dim)


CASES = [
    Case("gelu, tanh", lambda x: fn.gelu(x, approximate="tanh"), _gelu_tanh, (SHAPE,)),
    *(Case(f"glu {shape} over {dim}", lambda x, dim=dim: fn.glu(x, dim),
           lambda x, dim=dim: _glu(x, dim), (shape,))
      for shape, dim in [((5, 8), -1), ((2, 6, 5, 7), 1), ((4, 3), 0), ((6,), 0)]),
    *(Case(f"maxout {shape}, {k} over {dim}", lambda x, k=k, dim=dim: fn.maxout(x, k, dim),
           lambda x, k=k, dim=dim: _maxout(x, k, dim), (shape,))
      for shape, k, dim in [((2, 6, 5, 7), 3, 1), ((5, 8), 2, -1), ((4, 9), 1, 1)]),
    *(Case(f"softmin {shape} over {dim}", lambda x, dim=dim: fn.softmin(x, dim),
           lambda x, dim=dim: special.softmax(-x, axis=dim), (shape,))
      for shape, dim in [((5, 7), 1), ((2, 5, 3, 4), 1)]),
    Case("softmax of a scalar", lambda x: fn.softmax(x, -1) + fn.log_softmax(x, 0) * 3,
         lambda x: np.ones(()), ((),), gradient=lambda dy, x: (np.zeros(()),)),
    Case("softmax of integers", lambda x: fn.softmax(x, 1, dtype=np.float32)
         - fn.softmin(x, 1, dtype=np.float32), lambda x: special.softmax(x, axis=1)
         - special.softmax(-x, axis=1), (np.arange(15).reshape(3, 5) % 4,)),
    Case("prelu of a scalar, a scalar slope", lambda x, v, w: fn.prelu(x, w) + fn.prelu(v, w),
         lambda x, v, w: np.where(x > 0, x, w * x) + np.where(v > 0, v, w * v), ((), (7,), ())),
]

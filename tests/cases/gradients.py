"""Gradients inside of a graph, and parts of a loss."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


def _slope(x, y):
    """The gradient of Σ x² y by x, as a tensor."""
    (dx,) = fn.autograd.grad((x * x * y).sum(), x, create_graph=True)
    return dx


CASES = [
    Case("autograd.grad", _slope, lambda x, y: 2 * x * y, ((3, 5), (3, 5))),
    Case("grad of a tensor", lambda x: fn.grad(lambda a: (a * a * a).sum())(x),
         lambda x: 3 * x**2, ((2, 3, 4, 5),)),
    Case("grad of grad", lambda x: fn.grad(lambda a: fn.grad(lambda b: (b**4).sum())(a).sum())(x),
         lambda x: 12 * x**2, ((4, 3),)),
    Case("loss_part", lambda x: fn.loss_part("size", x.square().mean()),
         lambda x: np.mean(x**2), ((4, 3),)),
]

"""Operations of the user's own."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


class Cube(fn.Function):
    """x³, with a factor as argument."""

    @staticmethod
    def forward(ctx, x):
        return ctx.factor * x**3

    @staticmethod
    def backward(ctx, dy):
        return 3 * ctx.factor * ctx.inputs[0] ** 2 * dy


class SinCos(fn.Function):
    """sin(x) + y and cos(x), of (n, c, h, w) and (c, 1, 1): two outputs; float64 inside."""

    @staticmethod
    def output_shapes(x, y):
        return [x, x]

    @staticmethod
    def forward(ctx, x, y):
        wide = x.astype(np.float64)
        return np.sin(wide) + y, np.cos(wide)

    @staticmethod
    def backward(ctx, dsin, dcos):
        x, _ = ctx.inputs
        return ctx.outputs[1] * dsin - np.sin(x) * dcos, dsin.sum((0, 2, 3))[:, None, None]


class Straight(fn.Function):
    """Rounds; passes the gradient of x as it is, and None for the other input."""

    @staticmethod
    def forward(ctx, x, step):
        return np.round(x / step) * step

    @staticmethod
    def backward(ctx, dy):
        return dy, None


def _sum_of_both(x, y):
    first, second = SinCos.apply(x, y)
    return first * 2 - second


CASES = [
    Case("Function of one input", lambda x: Cube.apply(x, factor=0.5), lambda x: 0.5 * x**3,
         ((4, 9),)),
    Case("Function between operations", lambda x: fn.relu(Cube.apply(x * 2, factor=1.0)),
         lambda x: (8 * x**3).clip(0), ((2, 3, 4, 5),)),
    Case("Function of two inputs and outputs", _sum_of_both,
         lambda x, y: 2 * (np.sin(x) + y) - np.cos(x), ((2, 3, 4, 5), (3, 1, 1))),
    Case("Function with a None gradient", Straight.apply, lambda x, s: np.round(x / s) * s,
         ((4, 9), np.full(9, 0.25, np.float32)),
         gradient=lambda dy, x, s: (dy, np.zeros_like(s))),
]

"""Functions of one tensor and of two, element by element. A new one is one line here."""

from functools import partial

import numpy as np
from scipy import special

import fastnn as fn
from tests.cases.case import DEFAULT_TOLERANCE, Case, away_from_zero, between, few, normal
from tests.reference.pointwise import UNARY as ROWS

SHAPE = (2, 3, 5, 7)  # rank 4: stored channels-last; 210 elements: a tail for every vector length
SIGMOID = special.expit
UNARY = {**ROWS, "relu6": lambda x: np.clip(x, 0, 6)}


def _gelu_tanh(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def unary(name, twin, domain=normal, tolerance=DEFAULT_TOLERANCE, reason="", **arguments):
    """A case of a row of the table: its float64 twin and where it is defined."""
    label = ",".join([name, *(f"{key}={value}" for key, value in arguments.items())])
    return Case(label, partial(getattr(fn, name), **arguments), partial(twin, **arguments),
                (domain(*SHAPE),), tolerance=tolerance, reason=reason)


def wide(*shape):
    """Values on which exponentials saturate, too."""
    return between(-12, 12, *shape)


def positive(*shape):
    """Values from 0.1 to 4."""
    return between(0.1, 4.0, *shape)


CASES = [
    unary("relu", lambda x: np.maximum(x, 0)),
    unary("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x)),
    unary("leaky_relu", lambda x, negative_slope: np.where(x > 0, x, negative_slope * x),
          negative_slope=0.3),
    unary("elu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x))),
    unary("elu", lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)), wide, alpha=0.7),
    unary("silu", lambda x: x * SIGMOID(x), wide),
    unary("gelu", lambda x: x / 2 * (1 + special.erf(x / np.sqrt(2)))),
    unary("gelu_tanh", _gelu_tanh),
    unary("sigmoid", SIGMOID, wide),
    unary("tanh", np.tanh, wide),
    unary("exp", np.exp),
    unary("log", np.log, positive),
    unary("sqrt", np.sqrt, positive),
    unary("square", np.square),
    unary("abs", np.abs),
    unary("affine", lambda x, scale=1.0, shift=0.0: scale * x + shift, scale=-1.5, shift=0.25),
    unary("reciprocal", lambda x: 1 / x, away_from_zero),
    unary("power", lambda x, exponent=1.0: x**exponent, positive, exponent=2.5),
    unary("power", lambda x, exponent: x**exponent, away_from_zero, exponent=3.0),
    unary("softplus", UNARY["softplus"], wide),
    unary("softplus", UNARY["softplus"], wide, beta=0.5, threshold=4.0),
    unary("erf", special.erf),
    *(unary(name, UNARY[name], wide) for name in (
        "logsigmoid", "selu", "celu", "mish", "softsign", "hardsigmoid", "hardswish", "hardtanh",
        "hardshrink", "softshrink", "tanhshrink", "sin", "cos", "relu6")),
    unary("celu", UNARY["celu"], wide, alpha=0.7),
    unary("hardtanh", lambda x, min_val, max_val: np.clip(x, min_val, max_val), wide, min_val=-2.5,
          max_val=0.75),
    unary("hardshrink", UNARY["hardshrink"], lambd=1.25),
    unary("softshrink", UNARY["softshrink"], lambd=0.25),
    unary("threshold", UNARY["threshold"], threshold=0.1, value=-3.0),
    *(unary(name, UNARY[name]) for name in ("expm1", "exp2")),
    *(unary(name, UNARY[name], positive) for name in ("log1p", "log2", "log10", "rsqrt")),
    *(unary(name, UNARY[name], wide) for name in ("sign", "floor", "ceil", "round", "trunc")),
]


def binary(name, twin, a=SHAPE, b=SHAPE, **kwargs):
    """A case of a function of two tensors; a and b are shapes or makers."""
    shapes = "x".join(str(s) for s in (a, b) if isinstance(s, tuple))
    return Case(f"{name} {shapes}{kwargs.pop('note', '')}", getattr(fn, name), twin, (a, b),
                **kwargs)


BROADCASTS = [
    ((2, 3, 5, 7), (2, 3, 5, 7)),
    ((2, 3, 5, 7), (3, 1, 1)),
    ((2, 3, 5, 7), (7,)),
    ((5, 7), (2, 3, 5, 7)),
    ((2, 3, 5, 7), (3, 5, 7)),
    ((2, 1, 5, 1), (3, 1, 7)),
    ((1, 3, 1, 1), (2, 1, 5, 7)),
    ((4, 1), (1, 9)),
    ((6, 17), (17,)),
    ((6, 17), ()),
    ((), ()),
    ((3, 4, 1), (3, 1, 5)),
]


def _tie(sign):
    """Gradients at ties: each operand has half."""
    def gradient(dy, a, b):
        first = (1 + np.sign(sign * (a - b))) / 2
        return dy * first, dy * (1 - first)
    return gradient


CASES += [binary("add", np.add, a, b) for a, b in BROADCASTS]
CASES += [
    binary("sub", np.subtract),
    binary("sub", np.subtract, (3, 1, 1), (2, 3, 5, 7)),
    binary("mul", np.multiply),
    binary("mul", np.multiply, (2, 3, 5, 7), (3, 1, 1)),
    binary("mul", np.multiply, (5, 1), (4, 1, 9)),
    binary("div", np.divide, SHAPE, away_from_zero(*SHAPE)),
    binary("div", np.divide, (2, 3, 5, 7), away_from_zero(3, 1, 1), note=" by channel"),
    binary("div", np.divide, (7,), away_from_zero(6, 7), note=" row by matrix"),
    binary("maximum", np.maximum),
    binary("maximum", np.maximum, (6, 17), (17,)),
    binary("minimum", np.minimum),
    binary("minimum", np.minimum, (2, 3, 5, 7), (3, 1, 1)),
    binary("maximum", np.maximum, few(*SHAPE), few(*SHAPE), gradient=_tie(1), note="with ties"),
    binary("minimum", np.minimum, few(*SHAPE), few(*SHAPE), gradient=_tie(-1), note="with ties"),
    Case("operators", lambda x, y: 2 - (x + 1) * -y / 4 + 3 / y - (y - x) / y + x**2 - 1.5 * x,
         lambda x, y: 2 - (x + 1) * -y / 4 + 3 / y - (y - x) / y + x**2 - 1.5 * x,
         ((4, 9), away_from_zero(4, 9))),
    Case("one tensor twice", lambda x: fn.mul(x, x) + fn.sub(x, x) + x + fn.maximum(x, x),
         lambda x: x * x + 2 * x, ((5, 9),)),
    Case("add a constant array", lambda x: x + np.linspace(0, 1, 9, dtype=np.float32),
         lambda x: x + np.linspace(0, 1, 9), ((4, 9),)),
]

"""Plain float64 twins of the pointwise kernels, written from the formulas."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def normal_below(x: Array) -> Array:
    """The standard normal distribution, without cancellation in its tail."""
    return special.erfc(-x / np.sqrt(2)) / 2


def gelu_tanh_gate(x: Array) -> Array:
    return special.expit(2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))


UNARY = {
    "relu": lambda x: np.where(x < 0, 0, x),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    "silu": lambda x: x * special.expit(x),
    "gelu": lambda x: x * normal_below(x),
    "gelu_tanh": lambda x: x * gelu_tanh_gate(x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.abs,
    "affine": lambda x, scale, shift: scale * x + shift,
    "reciprocal": lambda x: 1 / x,
    "power": lambda x, exponent: x**exponent,
    "softplus": lambda x: np.logaddexp(0, x),
    "erf": special.erf,
}

BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "maximum": np.maximum, "minimum": np.minimum,
    "ge": lambda a, b: np.where(a >= b, 1.0, 0.0), "gt": lambda a, b: np.where(a > b, 1.0, 0.0),
    "eq": lambda a, b: np.where(a == b, 1.0, 0.0), "ne": lambda a, b: np.where(a != b, 1.0, 0.0),
    "bce": lambda a, b: -b * np.maximum(np.log(a), -100) - (1 - b) * np.maximum(np.log1p(-a), -100),
    "bce_logits": lambda a, b: b * np.logaddexp(0, -a) + (1 - b) * np.logaddexp(0, a),
}


def slope(name: str, x: Array, arguments: tuple[float, ...] = ()) -> Array:
    """f'(x) by central differences of the twin itself: no second set of formulas."""
    step = 1e-5 * np.maximum(1, np.abs(x))
    value = UNARY[name]
    return (value(x + step, *arguments) - value(x - step, *arguments)) / (2 * step)

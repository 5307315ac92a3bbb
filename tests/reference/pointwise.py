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


def mish_gate(x: Array) -> Array:
    """tanh(log(1 + exp(x))), which is exp(x) itself far below 0."""
    return np.where(x < -20, np.exp(x), np.tanh(np.logaddexp(0, x)))


def tanhshrink(x: Array) -> Array:
    """x - tanh(x); its series where the difference would lose float64's digits."""
    small = np.minimum(np.abs(x), 0.01)
    series = small**3 * (1 / 3 - small**2 * (2 / 15 - small**2 * 17 / 315))
    return np.where(np.abs(x) <= 0.01, np.sign(x) * series, x - np.tanh(x))


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

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
    "softplus": lambda x, beta=1.0, threshold=20.0: np.where(
        beta * x > threshold, x, np.logaddexp(0, beta * x) / beta),
    "erf": special.erf,
    "logsigmoid": lambda x: -np.logaddexp(0, -x),
    "hardtanh": lambda x, low=-1.0, high=1.0: np.minimum(np.maximum(x, low), high),
    "clamp": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)),
    "celu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
    "mish": lambda x: x * mish_gate(x),
    "softsign": lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: np.where(x < -3, 0, x * np.clip(x + 3, 0, 6) / 6),
    "hardshrink": lambda x, lambd=0.5: np.where(np.abs(x) <= lambd, 0, x),
    "softshrink": lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
    "tanhshrink": tanhshrink,
    "threshold": lambda x, threshold, value: np.where(x <= threshold, value, x),
    "sign": np.sign,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "exp2": np.exp2,
    "log2": np.log2,
    "log10": np.log10,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "trunc": np.trunc,
}

BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "maximum": np.maximum, "minimum": np.minimum,
    "ge": lambda a, b: np.where(a >= b, 1.0, 0.0), "gt": lambda a, b: np.where(a > b, 1.0, 0.0),
    "eq": lambda a, b: np.where(a == b, 1.0, 0.0), "ne": lambda a, b: np.where(a != b, 1.0, 0.0),
    "bce": lambda a, b: -b * np.maximum(np.log(a), -100) - (1 - b) * np.maximum(np.log1p(-a), -100),
    "bce_logits": lambda a, b: b * np.logaddexp(0, -a) + (1 - b) * np.logaddexp(0, a),
    "clamp_min": np.maximum, "clamp_max": np.minimum,
    "share": lambda a, b: np.where(a == b, 0.5, np.where(a < b, 0.0, 1.0)),
    "keep": lambda a, b: np.where(b != 0, a, 0.0), "drop": lambda a, b: np.where(b == 0, a, 0.0),
    "pow": np.power, "floor_div": np.floor_divide,
}


def slope(name: str, x: Array, arguments: tuple[float, ...] = ()) -> Array:
    """f'(x) by central differences of the twin itself: no second set of formulas."""
    step = 1e-5 * np.maximum(1, np.abs(x))
    value = UNARY[name]
    return (value(x + step, *arguments) - value(x - step, *arguments)) / (2 * step)

"""Second derivatives of the functions of one tensor, for gradients of gradients.

CURVATURES has for each row of the pointwise table the gradient of its backward pass dy f'(saved)
with respect to `saved`: c times the derivative of f', where c = dy times what arrives. `saved` is x
or y as the row says, so that for a row of y it is the derivative of f' by y. It is made of
operations, which have gradients of their own: so there are derivatives of any order. Rows that
consist of straight lines are not here: their curvature is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543773


def _decay(c: Any, x: Any, rate: float = 1.0) -> Any:
    """c exp(rate x) where x <= 0, else 0."""
    return c * (x <= 0) * (rate * x.clamp(max=0.0)).exp()


def _silu(c: Any, x: Any) -> Any:
    s = x.sigmoid()
    return c * s * (1 - s) * (x * (1 - 2 * s) + 2)


def _gelu(c: Any, x: Any) -> Any:
    density = (-0.5 * x.square()).exp() / math.sqrt(2 * math.pi)
    return c * density * (2 - x.square())


def _gelu_tanh(c: Any, x: Any) -> Any:
    """f = x (1 + t) / 2 with t = tanh(u), u = k (x + a x³)."""
    k, a = math.sqrt(2 / math.pi), 0.044715
    t = (k * (x + a * x * x.square())).tanh()
    slope, bend = k * (1 + 3 * a * x.square()), 6 * k * a * x
    return c * (1 - t.square()) * (slope + 0.5 * x * (bend - 2 * t * slope.square()))


def _mish(c: Any, x: Any) -> Any:
    """f = x t with t = tanh(log(1 + exp(x))), where 1 + exp(x) = 1 / sigmoid(-x)."""
    s = x.sigmoid()
    q = (1 - s).square()
    t = (1 - q) / (1 + q)
    return c * s * (1 - t.square()) * (2 + x * (1 - s - 2 * t * s))


def _power(c: Any, x: Any, exponent: float) -> Any:
    factor = exponent * (exponent - 1)
    return factor * c * x ** (exponent - 2) if factor else None


def _softplus(c: Any, x: Any, beta: float, threshold: float) -> Any:
    s = (beta * x).sigmoid()
    return beta * c * s * (1 - s) * (beta * x <= threshold)


def _logsigmoid(c: Any, x: Any) -> Any:
    s = x.sigmoid()
    return -(c * s * (1 - s))


def _softsign(c: Any, x: Any) -> Any:
    r = 1 / (1 + x.abs())
    return -2 * c * x.sign() * r * r.square()


def _tanhshrink(c: Any, x: Any) -> Any:
    t = x.tanh()
    return 2 * c * t * (1 - t.square())


CURVATURES: dict[str, Callable[..., Any]] = {
    "elu": lambda c, x, alpha: alpha * _decay(c, x),
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "sigmoid": lambda c, y: c * (1 - 2 * y),
    "tanh": lambda c, y: -2 * c * y,
    "exp": lambda c, y: c,
    "log": lambda c, x: -c / x.square(),
    "sqrt": lambda c, y: -0.5 * c / y.square(),
    "square": lambda c, x: 2 * c,
    "reciprocal": lambda c, y: -2 * c * y,
    "power": _power,
    "softplus": _softplus,
    "erf": lambda c, x: -4 / math.sqrt(math.pi) * c * x * (-x.square()).exp(),
    "logsigmoid": _logsigmoid,
    "selu": lambda c, x: SELU_SCALE * SELU_ALPHA * _decay(c, x),
    "celu": lambda c, x, alpha: _decay(c, x, 1 / alpha) / alpha,
    "mish": _mish,
    "softsign": _softsign,
    "hardswish": lambda c, x: c * ((x > -3) & (x < 3)) / 3,
    "tanhshrink": _tanhshrink,
    "log1p": lambda c, x: -c / (1 + x).square(),
    "expm1": lambda c, y: c,
    "exp2": lambda c, y: math.log(2) * c,
    "log2": lambda c, x: -1 / math.log(2) * c / x.square(),
    "log10": lambda c, x: -1 / math.log(10) * c / x.square(),
    "rsqrt": lambda c, y: -1.5 * c * y.square(),
    "sin": lambda c, x: -c * x.sin(),
    "cos": lambda c, x: -c * x.cos(),
}

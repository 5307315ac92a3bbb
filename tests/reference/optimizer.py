"""Plain float64 twins of the optimizers: PyTorch's formulas, out of place.

Each takes hyper (a dict), the parameter, the gradient and the state, and returns the new
parameter and state.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sgd(h: dict[str, float], w: Array, g: Array) -> tuple[Array, ...]:
    return (w - h["lr"] * (g + h["weight_decay"] * w),)


def sgd_momentum(h: dict[str, float], w: Array, g: Array, m: Array) -> tuple[Array, ...]:
    m = h["momentum"] * m + (1 - h["dampening"]) * (g + h["weight_decay"] * w)
    return w - h["lr"] * m, m


def sgd_nesterov(h: dict[str, float], w: Array, g: Array, m: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    m = h["momentum"] * m + (1 - h["dampening"]) * g
    return w - h["lr"] * (g + h["momentum"] * m), m


def adam(h: dict[str, float], w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    return _adam_step(h, w, g + h["weight_decay"] * w, m, v)


def adamw(h: dict[str, float], w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    return _adam_step(h, w - h["lr"] * h["weight_decay"] * w, g, m, v)


def _adam_step(h: dict[str, float], w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    m = h["beta1"] * m + (1 - h["beta1"]) * g
    v = h["beta2"] * v + (1 - h["beta2"]) * g * g
    denominator = np.sqrt(v) / np.sqrt(h["bias_correction2"]) + h["eps"]
    return w - h["lr"] / h["bias_correction1"] * m / denominator, m, v

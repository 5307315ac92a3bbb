"""Plain float64 twins of the optimizers: PyTorch's formulas, out of place.

Each takes hyper (a dict), the number of the step (the first is 1), the parameter, the gradient and
the state, and returns the new parameter and state.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Hyper = dict[str, float]


def sgd(h: Hyper, step: int, w: Array, g: Array) -> tuple[Array, ...]:
    return (w - h["lr"] * (g + h["weight_decay"] * w),)


def sgd_momentum(h: Hyper, step: int, w: Array, g: Array, m: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    m = g if step == 1 else h["momentum"] * m + (1 - h["dampening"]) * g
    return w - h["lr"] * m, m


def sgd_nesterov(h: Hyper, step: int, w: Array, g: Array, m: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    m = g if step == 1 else h["momentum"] * m + (1 - h["dampening"]) * g
    return w - h["lr"] * (g + h["momentum"] * m), m


def adam(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    return _adam_step(h, step, w, g + h["weight_decay"] * w, m, v)


def adamw(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    return _adam_step(h, step, w - h["lr"] * h["weight_decay"] * w, g, m, v)


def _adam_step(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    m = h["beta1"] * m + (1 - h["beta1"]) * g
    v = h["beta2"] * v + (1 - h["beta2"]) * g * g
    m_hat, v_hat = m / (1 - h["beta1"]**step), v / (1 - h["beta2"]**step)
    return w - h["lr"] * m_hat / (np.sqrt(v_hat) + h["eps"]), m, v

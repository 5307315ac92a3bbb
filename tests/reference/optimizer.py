"""Plain float64 twins of the optimizers: their papers' or PyTorch's formulas, out of place.

Each takes hyper (a dict), the number of the step (the first is 1), the parameter, the gradient and
the state, and returns the new parameter and state. A number that is carried from step to step is
h["carried"]; what it is after a step is given by a function of its own.
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


def _decayed(h: Hyper, w: Array, g: Array) -> tuple[Array, Array]:
    """The parameter with decay of its own, and the gradient with the other kind."""
    return w - h["lr"] * h["decoupled"] * w, g + h["weight_decay"] * w


def _moments(h: Hyper, g: Array, m: Array, v: Array) -> tuple[Array, Array]:
    return h["beta1"] * m + (1 - h["beta1"]) * g, h["beta2"] * v + (1 - h["beta2"]) * g * g


def adam(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    w, g = _decayed(h, w, g)
    m, v = _moments(h, g, m, v)
    m_hat, v_hat = m / (1 - h["beta1"]**step), v / (1 - h["beta2"]**step)
    return w - h["lr"] * m_hat / (np.sqrt(v_hat) + h["eps"]), m, v


def amsgrad(
    h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array, most: Array
) -> tuple[Array, ...]:
    w, g = _decayed(h, w, g)
    m, v = _moments(h, g, m, v)
    most = np.maximum(most, v)
    m_hat, v_hat = m / (1 - h["beta1"]**step), most / (1 - h["beta2"]**step)
    return w - h["lr"] * m_hat / (np.sqrt(v_hat) + h["eps"]), m, v, most


def nadam(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    w, g = _decayed(h, w, g)
    m, v = _moments(h, g, m, v)
    mu, following = _mu(h, step), _mu(h, step + 1)
    product = h["carried"] * mu
    m_hat = following * m / (1 - product * following) + (1 - mu) * g / (1 - product)
    v_hat = v / (1 - h["beta2"]**step)
    return w - h["lr"] * m_hat / (np.sqrt(v_hat) + h["eps"]), m, v


def _mu(h: Hyper, step: int) -> float:
    return h["beta1"] * (1 - 0.96**(step * h["momentum_decay"]) / 2)


def nadam_carried(h: Hyper, step: int) -> float:
    return h["carried"] * _mu(h, step)


def radam(h: Hyper, step: int, w: Array, g: Array, m: Array, v: Array) -> tuple[Array, ...]:
    w, g = _decayed(h, w, g)
    m, v = _moments(h, g, m, v)
    m_hat, bias = m / (1 - h["beta1"]**step), 1 - h["beta2"]**step
    longest = 2 / (1 - h["beta2"]) - 1
    length = longest - 2 * step * h["beta2"]**step / bias
    if length <= 5:
        return w - h["lr"] * m_hat, m, v
    r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return w - h["lr"] * m_hat * r * np.sqrt(bias) / (np.sqrt(v) + h["eps"]), m, v


def adamax(h: Hyper, step: int, w: Array, g: Array, m: Array, u: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    m = h["beta1"] * m + (1 - h["beta1"]) * g
    u = np.maximum(h["beta2"] * u, np.abs(g) + h["eps"])
    return w - h["lr"] / (1 - h["beta1"]**step) * m / u, m, u


def adagrad(h: Hyper, step: int, w: Array, g: Array, total: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    total = total + g * g
    rate = h["lr"] / (1 + (step - 1) * h["lr_decay"])
    return w - rate * g / (np.sqrt(total) + h["eps"]), total


def adadelta(h: Hyper, step: int, w: Array, g: Array, v: Array, u: Array) -> tuple[Array, ...]:
    g = g + h["weight_decay"] * w
    v = h["rho"] * v + (1 - h["rho"]) * g * g
    delta = np.sqrt(u + h["eps"]) / np.sqrt(v + h["eps"]) * g
    return w - h["lr"] * delta, v, h["rho"] * u + (1 - h["rho"]) * delta * delta


def _mean_square(h: Hyper, w: Array, g: Array, v: Array) -> tuple[Array, Array]:
    g = g + h["weight_decay"] * w
    return g, h["alpha"] * v + (1 - h["alpha"]) * g * g


def rmsprop(h: Hyper, step: int, w: Array, g: Array, v: Array) -> tuple[Array, ...]:
    g, v = _mean_square(h, w, g, v)
    return w - h["lr"] * g / (np.sqrt(v) + h["eps"]), v


def rmsprop_momentum(
    h: Hyper, step: int, w: Array, g: Array, v: Array, m: Array
) -> tuple[Array, ...]:
    g, v = _mean_square(h, w, g, v)
    m = h["momentum"] * m + g / (np.sqrt(v) + h["eps"])
    return w - h["lr"] * m, v, m


def rmsprop_centered(
    h: Hyper, step: int, w: Array, g: Array, v: Array, mean: Array
) -> tuple[Array, ...]:
    g, v = _mean_square(h, w, g, v)
    mean = h["alpha"] * mean + (1 - h["alpha"]) * g
    return w - h["lr"] * g / (np.sqrt(v - mean * mean) + h["eps"]), v, mean


def rmsprop_centered_momentum(
    h: Hyper, step: int, w: Array, g: Array, v: Array, mean: Array, m: Array
) -> tuple[Array, ...]:
    g, v = _mean_square(h, w, g, v)
    mean = h["alpha"] * mean + (1 - h["alpha"]) * g
    m = h["momentum"] * m + g / (np.sqrt(v - mean * mean) + h["eps"])
    return w - h["lr"] * m, v, mean, m


def rprop(
    h: Hyper, step: int, w: Array, g: Array, previous: Array, size: Array
) -> tuple[Array, ...]:
    turn = np.sign(g * previous)
    size = np.full(w.shape, h["lr"]) if step == 1 else size
    size = size * np.where(turn > 0, h["eta_plus"], np.where(turn < 0, h["eta_minus"], 1))
    size = np.clip(size, h["least"], h["most"])
    g = np.where(turn < 0, 0, g)
    return w - np.sign(g) * size, g, size


def asgd(h: Hyper, step: int, w: Array, g: Array, mean: Array) -> tuple[Array, ...]:
    rate = h["lr"] if step == 1 else h["carried"]
    g = g + h["weight_decay"] * w
    w = w * (1 - h["lambd"] * rate) - rate * g
    share = 1 / max(1, step - 1 - h["t0"])
    return w, mean + share * (w - mean)


def asgd_carried(h: Hyper, step: int) -> float:
    return h["lr"] / (1 + h["lambd"] * h["lr"] * step)**h["alpha"]


def lion(h: Hyper, step: int, w: Array, g: Array, m: Array) -> tuple[Array, ...]:
    """Algorithm 2 of Chen et al., 2023."""
    update = np.sign(h["beta1"] * m + (1 - h["beta1"]) * g)
    w = w - h["lr"] * (update + h["weight_decay"] * w)
    return w, h["beta2"] * m + (1 - h["beta2"]) * g


def muon(
    h: Hyper, step: int, w: Array, g: Array, m: Array, direction: Array
) -> tuple[Array, ...]:
    m = h["momentum"] * m + (1 - h["momentum"]) * g
    return w * (1 - h["lr"] * h["weight_decay"]) - h["lr"] * direction, m, direction


def muon_direction(h: Hyper, g: Array, m: Array) -> Array:
    m = h["momentum"] * m + (1 - h["momentum"]) * g
    return (1 - h["mix"]) * g + h["mix"] * m


def ema(h: Hyper, step: int, w: Array, g: Array) -> tuple[Array, ...]:
    return (w + h["weight"] * (g - w),)

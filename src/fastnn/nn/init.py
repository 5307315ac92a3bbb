"""Initial values of parameters, as torch.nn.init; in place, from the seed of `manual_seed`.

Equal weights would learn equal features, and weights of the wrong scale make signals vanish or
explode in deep nets. So they are random, with a variance set by fan-in (He et al., 2015) or by
fan-in and fan-out (Glorot and Bengio, 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastnn.arguments import choice, instance, real
from fastnn.nn.parameter import Parameter
from fastnn.runtime.random import generator

CHUNK = 1 << 16  # the most values that are drawn at once


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, ...).

    >>> fans((16, 3, 3, 3))
    (27, 144)
    """
    if len(shape) < 2:
        raise ValueError(f"fan-in and fan-out need a weight of rank 2 or more, got {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity.

    >>> round(gain("relu"), 4)
    1.4142
    """
    gains = {"linear": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2),
             "selu": 0.75}
    if nonlinearity == "leaky_relu" and param is not None:
        param = real(param, "a")
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}; know {sorted(gains)}")
    return gains[nonlinearity]


def _fill(data: np.ndarray, draw: Callable[[tuple[int, ...]], np.ndarray]) -> None:
    """Draw all values, a few rows at a time, with the same result as in one draw.

    Draws are float64, twice the size of the parameter, and a process rarely returns memory.
    """
    if data.size <= CHUNK:
        data[...] = draw(data.shape)
        return
    rows = max(1, CHUNK * len(data) // data.size)
    for start in range(0, len(data), rows):
        _fill(data[start:start + rows] if rows > 1 else data[start], draw)


def uniform_(parameter: Parameter, a: float = 0.0, b: float = 1.0) -> Parameter:
    """Uniform in [a, b)."""
    instance(parameter, "parameter", Parameter)
    a, b = real(a, "a"), real(b, "b")
    _fill(parameter.data, lambda shape: generator().uniform(a, b, shape))
    return parameter


def normal_(parameter: Parameter, mean: float = 0.0, std: float = 1.0) -> Parameter:
    """Gaussian."""
    instance(parameter, "parameter", Parameter)
    mean, std = real(mean, "mean"), real(std, "std", "a number from 0 on", 0)
    _fill(parameter.data, lambda shape: generator().normal(mean, std, shape))
    return parameter


def constant_(parameter: Parameter, value: float) -> Parameter:
    """The same value everywhere."""
    instance(parameter, "parameter", Parameter)
    value = real(value, "value")
    parameter.data = np.full(parameter.shape, value, np.float32)
    return parameter


def zeros_(parameter: Parameter) -> Parameter:
    """Zeros."""
    return constant_(parameter, 0.0)


def ones_(parameter: Parameter) -> Parameter:
    """Ones."""
    return constant_(parameter, 1.0)


def _shape(parameter: Parameter) -> tuple[int, ...]:
    return instance(parameter, "parameter", Parameter).shape


def _fan(shape: tuple[int, ...], mode: str) -> int:
    choice(mode, "mode", ("fan_in", "fan_out"))
    return fans(shape)[mode == "fan_out"]


def kaiming_uniform_(
    parameter: Parameter, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Parameter:
    """Uniform with variance gain² / fan (He et al., 2015)."""
    bound = gain(nonlinearity, a) * math.sqrt(3.0 / _fan(_shape(parameter), mode))
    return uniform_(parameter, -bound, bound)


def kaiming_normal_(
    parameter: Parameter, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Parameter:
    """Gaussian with variance gain² / fan (He et al., 2015)."""
    return normal_(parameter, 0.0, gain(nonlinearity, a) / math.sqrt(_fan(_shape(parameter), mode)))


def xavier_uniform_(parameter: Parameter, gain: float = 1.0) -> Parameter:
    """Uniform with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    bound = real(gain, "gain") * math.sqrt(6.0 / sum(fans(_shape(parameter))))
    return uniform_(parameter, -bound, bound)


def xavier_normal_(parameter: Parameter, gain: float = 1.0) -> Parameter:
    """Gaussian with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    std = real(gain, "gain") * math.sqrt(2.0 / sum(fans(_shape(parameter))))
    return normal_(parameter, 0.0, std)

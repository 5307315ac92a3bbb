"""Initial values of parameters, as torch.nn.init; in place, from the seed of `manual_seed`.

Equal weights would learn equal features, and weights of the wrong scale make signals vanish or
explode in deep nets. So they are random, with a variance set by fan-in (He et al., 2015) or by
fan-in and fan-out (Glorot and Bengio, 2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from fastnn.arguments import choice, integer, real
from fastnn.nn.parameter import Stored
from fastnn.runtime.random import generator
from fastnn.spec import ShapeError

CHUNK = 1 << 16  # the most values that are drawn at once
Filled = TypeVar("Filled", Stored, np.ndarray)  # a parameter or buffer, or an array of floats
_GAINS = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0,
          "conv_transpose2d": 1.0, "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3,
          "relu": math.sqrt(2), "selu": 0.75}


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, ...).

    >>> fans((16, 3, 3, 3))
    (27, 144)
    """
    if len(shape) < 2:
        raise ValueError(f"fan-in and fan-out need a weight of rank 2 or more, got {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; param: leaky_relu's slope.

    >>> round(calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else real(param, "a")
        return math.sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity not in _GAINS:
        known = sorted({*_GAINS, "leaky_relu"})
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}; know {known}")
    return _GAINS[nonlinearity]


def _values(tensor: Any) -> np.ndarray:
    """The array to write to."""
    if isinstance(tensor, Stored):
        return tensor.data
    if not isinstance(tensor, np.ndarray) or tensor.dtype.kind != "f":
        raise TypeError("tensor must be an nn.Parameter, or an array of floats, got "
                        f"{getattr(tensor, 'dtype', type(tensor).__name__)}")
    if not tensor.flags.writeable:
        raise ValueError("tensor must be an array that can be written to, and this is read-only")
    return tensor


def _matrix(name: str, tensor: Any, ranks: range, expected: str) -> np.ndarray:
    data = _values(tensor)
    if data.ndim not in ranks:
        raise ShapeError(f"{name}: expected {expected}, got shape {data.shape}")
    return data


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


def uniform_(tensor: Filled, a: float = 0.0, b: float = 1.0) -> Filled:
    """Uniform in [a, b)."""
    data, a, b = _values(tensor), real(a, "a"), real(b, "b")
    if a > b:
        raise ValueError(f"uniform_: expected a <= b, got a={a}, b={b}")
    _fill(data, lambda shape: generator().uniform(a, b, shape))
    return tensor


def normal_(tensor: Filled, mean: float = 0.0, std: float = 1.0) -> Filled:
    """Gaussian."""
    data = _values(tensor)
    mean, std = real(mean, "mean"), real(std, "std", "a number from 0 on", 0)
    _fill(data, lambda shape: generator().normal(mean, std, shape))
    return tensor


def trunc_normal_(
    tensor: Filled, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Filled:
    """Gaussian, of those values alone that lie in [a, b], which are numbers and not in std."""
    data, mean, std = _values(tensor), real(mean, "mean"), real(std, "std", "above 0", above=0)
    a, b = real(a, "a"), real(b, "b")
    if a >= b:
        raise ValueError(f"trunc_normal_: expected a < b, got a={a}, b={b}")
    from scipy.special import ndtr, ndtri  # late: takes 13 MB and as long as all of fastnn

    low, high = (a - mean) / std, (b - mean) / std
    side = -1.0 if low > 0 else 1.0  # far above the mean ndtr is 1 and has no digits left
    first, last = sorted((float(ndtr(side * low)), float(ndtr(side * high))))
    if first == last:
        raise ValueError(f"trunc_normal_: no float64 tells apart the values from {a} to {b}, "
                         f"which are {low:.3g} to {high:.3g} std from the mean {mean}")
    _fill(data, lambda shape: np.clip(
        mean + std * side * ndtri(generator().uniform(first, last, shape)), a, b))
    return tensor


def constant_(tensor: Filled, val: float) -> Filled:
    """The same value everywhere."""
    _values(tensor)[...] = real(val, "val")
    return tensor


def zeros_(tensor: Filled) -> Filled:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Filled) -> Filled:
    """Ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: Filled) -> Filled:
    """Ones on the diagonal of a matrix, else zeros: a linear layer that passes its input on."""
    data = _matrix("eye_", tensor, range(2, 3), "a matrix")
    data[...] = np.eye(*data.shape)
    return tensor


def dirac_(tensor: Filled, groups: int = 1) -> Filled:
    """A weight (out, in / groups, ...) with which a convolution passes its channels on."""
    data = _matrix("dirac_", tensor, range(3, 6), "a convolution's weight of rank 3 to 5")
    groups = integer(groups, "groups", "an integer from 1 on", 1)
    if data.shape[0] % groups:
        raise ValueError(f"dirac_: {groups} groups do not divide {data.shape[0]} output channels")
    data[...] = 0
    out = data.shape[0] // groups
    middle: tuple[int, ...] = tuple(size // 2 for size in data.shape[2:])
    for group in range(groups):
        for channel in range(min(out, data.shape[1])):
            data[(group * out + channel, channel, *middle)] = 1
    return tensor


def _fan(shape: tuple[int, ...], mode: str) -> int:
    choice(mode, "mode", ("fan_in", "fan_out"))
    return max(fans(shape)[mode == "fan_out"], 1)  # a weight without elements has a fan of 0


def kaiming_uniform_(
    tensor: Filled, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Filled:
    """Uniform with variance gain² / fan (He et al., 2015)."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(_values(tensor).shape, mode))
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(
    tensor: Filled, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu"
) -> Filled:
    """Gaussian with variance gain² / fan (He et al., 2015)."""
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(_values(tensor).shape, mode))
    return normal_(tensor, 0.0, std)


def _xavier(tensor: Any, gain: float) -> float:
    """The standard deviation sqrt(2 / (fan_in + fan_out)), times the gain."""
    both = max(sum(fans(_values(tensor).shape)), 1)
    return real(gain, "gain", "a number from 0 on", 0) * math.sqrt(2.0 / both)


def xavier_uniform_(tensor: Filled, gain: float = 1.0) -> Filled:
    """Uniform with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    bound = _xavier(tensor, gain) * math.sqrt(3.0)
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Filled, gain: float = 1.0) -> Filled:
    """Gaussian with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, _xavier(tensor, gain))


def orthogonal_(tensor: Filled, gain: float = 1.0) -> Filled:
    """Rows, or columns if there are fewer, that are orthogonal and of length gain.

    A weight of more axes is a matrix of shape (out, all others). All such matrices are equally
    likely. (Saxe, McClelland and Ganguli, 2013; Mezzadri, "How to generate random matrices from the
    classical compact groups", 2007)
    """
    data = _matrix("orthogonal_", tensor, range(2, 65), "a weight of rank 2 or more")
    gain = real(gain, "gain")
    if not data.size:
        return tensor
    rows, columns = len(data), data.size // len(data)
    normal = generator().standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    data[...] = gain * (q if rows >= columns else q.T).reshape(data.shape)
    return tensor


def sparse_(tensor: Filled, sparsity: float, std: float = 0.01) -> Filled:
    """Gaussian, with a share `sparsity` of each column of a matrix 0 (Martens, 2010)."""
    data = _matrix("sparse_", tensor, range(2, 3), "a matrix")
    share = real(sparsity, "sparsity", "a number from 0 to 1", 0, 1)
    normal_(tensor, 0.0, std)
    count = math.ceil(share * len(data))
    for column in range(data.shape[1]):
        data[generator().permutation(len(data))[:count], column] = 0
    return tensor


def init_bias(module: Any, value: float = 0.1) -> Any:
    """Set every bias of a module, and of those inside of it, and return the module.

    A positive bias lets most ReLUs pass a gradient at the start, so that fewer are dead from the
    first step on. Norms, whose biases come after what they have centred, are set too: pass the
    layers that are meant. A module without a bias is refused.

    >>> from fastnn import nn
    >>> float(init_bias(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), 0.5)[0].bias.data[0])
    0.5
    """
    number = real(value, "value")
    found = [inner.bias for inner in module.modules()
             if isinstance(getattr(inner, "bias", None), Stored)]
    if not found:
        raise ValueError(f"init_bias: {type(module).__name__} has no bias")
    for bias in found:
        constant_(bias, number)
    return module

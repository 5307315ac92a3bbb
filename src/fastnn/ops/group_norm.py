"""Group normalisation: mean and variance over groups of channels of each example."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import add, div, mul, sub
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean
from fastnn.ops.reshape import reshape
from fastnn.ops.windows import whole_number
from fastnn.spec import ShapeError, check_float


@operation()
def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias, as torch.nn.functional.group_norm.

    E and the biased Var are taken over a group of channels of one example, at all places.
    x: (batch, channels, ...); num_groups divides channels. weight, bias: (channels), or None.
    Returns the shape of x. Raises ShapeError for shapes that do not fit.

    Source: Wu and He, "Group normalization", 2018.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> group_norm(constant(np.ones((2, 6, 4, 4))), 3).shape
    (2, 6, 4, 4)
    """
    x, groups = as_tensor(x), whole_number(num_groups, "num_groups")
    eps = real(eps, "eps", "a number from 0 on", 0)
    check_float("group_norm", x.spec)
    if x.ndim < 2 or x.shape[1] % groups:
        raise ShapeError(f"group_norm: expected (batch, channels, ...) with channels that "
                         f"{groups} groups divide, got shape {x.shape}")
    grouped = reshape(x, x.shape[0], groups, -1)
    centered = sub(grouped, mean(grouped, 2, keepdim=True))
    variance = mean(FUNCTIONS["square"](centered), 2, keepdim=True)
    y = reshape(div(centered, FUNCTIONS["sqrt"](add(variance, eps))), x.shape)
    for name, values, apply in (("weight", weight, mul), ("bias", bias, add)):
        if values is not None:
            y = apply(y, _by_channel(name, values, x))
    return y


def _by_channel(name: str, values: Any, x: Tensor) -> Tensor:
    values = as_tensor(values)
    if values.shape != x.shape[1:2]:
        raise ShapeError(f"group_norm: {name} {values.shape} does not fit input {x.shape}, "
                         f"expected {x.shape[1:2]}")
    return reshape(values, 1, -1, *[1] * (x.ndim - 2))

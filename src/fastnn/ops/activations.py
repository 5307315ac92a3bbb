"""Activation functions that are compositions, or choose between rows of the pointwise table."""

from __future__ import annotations

from functools import reduce
from typing import Any

from fastnn.arguments import choice, integer
from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.binary import maximum, mul
from fastnn.ops.getitem import getitem
from fastnn.ops.pointwise import FUNCTIONS, Unary
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes
from fastnn.spec import ShapeError


@operation()
def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the normal distribution function; with "tanh", its approximation `gelu_tanh`.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> gelu(constant(np.zeros((2, 3)))).shape
    (2, 3)
    """
    exact = choice(approximate, "gelu: approximate", ("none", "tanh")) == "none"
    return FUNCTIONS["gelu" if exact else "gelu_tanh"](input)


@operation()
def relu6(input: Any, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6), element by element; inplace is accepted, without effect.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """
    return apply(Unary("hardtanh", (0.0, 6.0)), input)


@operation()
def glu(input: Any, dim: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the halves of the input along `dim`.

    Raises ShapeError for an odd size there. Source: Dauphin et al., 2017.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> glu(constant(np.zeros((2, 6)))).shape
    (2, 3)
    """
    x = as_tensor(input)
    axis, size = _axis("glu", x, dim)
    if size % 2:
        raise ShapeError(f"glu: axis {dim} of shape {x.shape} has an odd size, so no halves")
    before = (slice(None),) * axis
    gate = FUNCTIONS["sigmoid"](getitem(x, (*before, slice(size // 2, None))))
    return mul(getitem(x, (*before, slice(None, size // 2))), gate)


@operation()
def maxout(input: Any, pool_size: int, dim: int = 1) -> Tensor:
    """The largest of each `pool_size` neighbours along `dim`, 1 being the channels.

    y[i] = max(x[i k], ..., x[i k + k - 1]), k = pool_size; equal values share the gradient. Raises
    ShapeError for a size that pool_size does not divide.

    Source: Goodfellow et al., "Maxout networks", 2013. PyTorch has no such function.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> maxout(constant(np.zeros((2, 6))), 3).shape
    (2, 2)
    """
    x = as_tensor(input)
    k = integer(pool_size, "maxout: pool_size", "a whole number from 1 on", 1)
    axis, size = _axis("maxout", x, dim)
    if size % k:
        raise ShapeError(f"maxout: axis {dim} of shape {x.shape} is no multiple of pool_size {k}")
    before = (slice(None),) * axis
    return reduce(maximum, (getitem(x, (*before, slice(i, None, k))) for i in range(k)))


def _axis(name: str, x: Tensor, dim: int) -> tuple[int, int]:
    """The number and the size of an axis."""
    if not x.ndim:
        raise ShapeError(f"{name}: a scalar has no axis to divide")
    (axis,) = check_axes(x, (dim,))
    return axis, x.shape[axis]

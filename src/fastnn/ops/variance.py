"""Variance and standard deviation over axes, with and without the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arguments import flag, real
from fastnn.graph import Tensor, as_tensor, constant
from fastnn.ops.binary import add, mul, sub
from fastnn.ops.compare import eq, ne
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean, sum
from fastnn.ops.reduced_axes import axes_of, dropped
from fastnn.ops.reshape import reshape

Dim = int | Sequence[int] | bool | None


def root(x: Tensor) -> Tensor:
    """sqrt(x), with the gradient 0 where x is 0."""
    zero = eq(x, 0.0)
    return mul(FUNCTIONS["sqrt"](add(x, zero)), ne(x, 0.0))


def _moments(
    name: str, input: Any, dim: Dim, unbiased: bool | None, keepdim: bool, correction: Any
) -> tuple[Tensor, Tensor]:
    """The variance and the mean; `dim` may stand for `unbiased`, as in PyTorch."""
    x = as_tensor(input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{name} takes unbiased or correction, not both")
    less = 1.0 if correction is None else real(correction, f"{name}: correction")
    if unbiased is not None:
        less = float(flag(unbiased, "unbiased"))
    axes = axes_of(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    center = mean(x, axes, keepdim=True)
    squares = sum(FUNCTIONS["square"](sub(x, center)), axes, keepdim=True)
    degrees = count - less
    factor = 1.0 / degrees if degrees > 0 else math.inf  # NaN of a single value, as in PyTorch
    if math.isfinite(factor):
        variance = mul(squares, factor)
    else:
        variance = mul(squares, constant(np.full((1,) * x.ndim, factor, np.float32)))
    shape = dropped(x.shape, axes, flag(keepdim, "keepdim"))
    return reshape(variance, shape), reshape(center, shape)


@operation("var")
def var(
    input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:
    """Σ (x - E[x])² / (n - correction) over the axes `dim`, over all if it is None or empty.

    correction: 1 by default; `unbiased` False stands for 0. NaN where n is not above it.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> var(constant(np.ones((4, 5))), 1, keepdim=True).shape
    (4, 1)
    """
    return _moments("var", input, dim, unbiased, keepdim, correction)[0]


@operation("std")
def std(
    input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:
    """The square root of `var`, with the same arguments; its gradient is 0 where it is 0.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> std(constant(np.ones((4, 5)))).shape
    ()
    """
    return root(_moments("std", input, dim, unbiased, keepdim, correction)[0])


@operation()
def var_mean(
    input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(`var`, `mean`) over the same axes.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> [y.shape for y in var_mean(constant(np.ones((4, 5))), 0)]
    [(5,), (5,)]
    """
    return _moments("var_mean", input, dim, unbiased, keepdim, correction)


@operation()
def std_mean(
    input: Any, dim: Dim = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(`std`, `mean`) over the same axes.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> [y.shape for y in std_mean(constant(np.ones((4, 5))), 0)]
    [(5,), (5,)]
    """
    variance, center = _moments("std_mean", input, dim, unbiased, keepdim, correction)
    return root(variance), center

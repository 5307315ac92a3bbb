"""Norms over axes, and what is made of them: normalize, cosine_similarity, pairwise_distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import add, affine, div, maximum, mul, sub
from fastnn.ops.compare import eq, ne
from fastnn.ops.detach import detach
from fastnn.ops.extreme import amax, amin
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduced_axes import axes_of, check_dtype, dropped
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.variance import root
from fastnn.spec import check_float

Dim = int | Sequence[int] | None


def _power_norm(x: Tensor, p: float, axes: Sequence[int]) -> Tensor:
    """(Σ |x|^p)^(1/p), whose gradient is 0 where x or the sum is 0."""
    zero = eq(x, 0.0)
    size, others = add(FUNCTIONS["abs"](x), zero), affine(zero, -1.0, 1.0)
    powers = FUNCTIONS["power"](size, p)
    if p < 0:  # a single 0 makes the norm 0
        total = sum(powers, axes, keepdim=True)
        return mul(FUNCTIONS["power"](total, 1.0 / p), amin(others, axes, keepdim=True))
    total = sum(mul(powers, others), axes, keepdim=True)
    y = FUNCTIONS["power"](add(total, eq(total, 0.0)), 1.0 / p)
    return mul(y, ne(total, 0.0))


def _of_order(x: Tensor, p: float, axes: Sequence[int]) -> Tensor:
    if p == 0:
        return sum(ne(x, 0.0), axes, keepdim=True)
    if p == 1 or (x.spec.size and math.prod(x.shape[axis] for axis in axes) == 1):
        return sum(FUNCTIONS["abs"](x), axes, keepdim=True)
    if p == 2:
        return root(sum(FUNCTIONS["square"](x), axes, keepdim=True))
    if math.isinf(p):
        if x.spec.size == 0 and p > 0:
            return sum(x, axes, keepdim=True)
        return (amax if p > 0 else amin)(FUNCTIONS["abs"](x), axes, keepdim=True)
    return _power_norm(x, p, axes)


def _order(p: Any) -> float:
    """The order of a norm as a number."""
    if p == "nuc":
        raise ValueError("norm: the nuclear norm needs singular values, which are no step of a "
                         "graph; p may be a number, inf, -inf or 'fro'")
    if p is None or p == "fro":
        return 2.0
    if isinstance(p, Real) and math.isinf(float(p)):
        return float(p)
    return real(p, "norm: p", "a number, inf, -inf or 'fro'")


@operation("norm")
def norm(
    input: Any, p: Any = "fro", dim: Dim = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """(Σ |x|^p)^(1/p) over the axes `dim`, over all if it is None, as torch.norm.

    p: a number; inf and -inf: the largest and least |x|; 0: how many are not 0; "fro": 2. The
    gradient is 0 where the norm is. Raises ValueError for "nuc".

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> norm(constant(np.ones((4, 5))), dim=1).shape
    (4,)
    """
    x, order = as_tensor(input), _order(p)
    check_float("norm", x.spec)
    check_dtype("norm", dtype)
    axes = axes_of(x, dim)
    shape = dropped(x.shape, axes, flag(keepdim, "keepdim"))
    return reshape(_of_order(x, order, axes), shape)


@operation()
def normalize(input: Any, p: float = 2.0, dim: Dim = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖, eps), with the norm of order p over `dim`.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> normalize(constant(np.ones((4, 5)))).shape
    (4, 5)
    """
    x, least = as_tensor(input), real(eps, "normalize: eps", "a number from 0 on", 0)
    return div(x, maximum(norm(x, p, dim, keepdim=True), least))


@operation()
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Σ x1 x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) over the axis `dim`; x1 and x2 broadcast.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> cosine_similarity(constant(np.ones((4, 5))), constant(np.ones(5))).shape
    (4,)
    """
    least = real(eps, "cosine_similarity: eps", "a number from 0 on", 0)
    first, second = as_tensor(x1), as_tensor(x2)
    shape = add(first, second).shape
    units = []
    for x in (first, second):
        x = x.expand(shape) if shape else reshape(x, 1)
        size = norm(x, 2, dim, keepdim=True)
        # PyTorch's gradient does not see that the norm is raised to eps.
        raised = detach(sub(maximum(size, least), size))
        units.append(div(x, add(size, raised)))
    (axis,) = check_axes(units[0], (dim,))
    return sum(mul(*units), axis)


@operation()
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x1 - x2 + eps‖ of order p over the last axis; x1 and x2 broadcast.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> pairwise_distance(constant(np.ones((4, 5))), constant(np.ones((4, 5)))).shape
    (4,)
    """
    shift = real(eps, "pairwise_distance: eps")
    return norm(add(sub(x1, x2), shift), p, -1, keepdim)

"""The gradients of norms by operations that have gradients, for gradients of gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fastnn.graph import Tensor
from fastnn.ops.binary import add, mul, sub
from fastnn.ops.permute import permute
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.reduce import mean
from fastnn.ops.reshape import reshape


def normed(x: Tensor, axes: Sequence[int], eps: float) -> tuple[Tensor, Tensor]:
    """((x - mean) * rstd, rstd) with the mean and the biased variance over axes."""
    centred = sub(x, mean(x, axes, keepdim=True))
    variance = mean(FUNCTIONS["square"](centred), axes, keepdim=True)
    rstd = FUNCTIONS["rsqrt"](add(variance, eps))
    return mul(centred, rstd), rstd


def through_norm(dy: Tensor, y: Tensor, rstd: Tensor, axes: Sequence[int]) -> Tensor:
    """dx = rstd (dy - E[dy] - y E[dy y]) for y = (x - E[x]) * rstd, E over axes."""
    along = mul(y, mean(mul(dy, y), axes, keepdim=True))
    return mul(rstd, sub(sub(dy, mean(dy, axes, keepdim=True)), along))


def rows_of(x: Tensor, size: int) -> Tensor:
    """The runs of `size` values of x's memory as the rows of a matrix."""
    in_order = permute(x, 0, 2, 3, 1) if x.ndim == 4 else x
    return reshape(in_order, math.prod(x.shape) // size, size)


def of_rows(rows: Tensor, like: Tensor) -> Tensor:
    """What has these rows, in the shape of `like`: undoes `rows_of`."""
    if like.ndim != 4:
        return reshape(rows, like.shape)
    n, c, h, w = like.shape
    return permute(reshape(rows, n, h, w, c), 0, 3, 1, 2)

"""Sums of a tensor and matrix products: addmm, addbmm, baddbmm, addmv, addr."""

from __future__ import annotations

import math
from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import affine
from fastnn.ops.expand import expand
from fastnn.ops.matmul import bmm, mm, mv, outer
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError


def _sum(name: str, input: Any, y: Tensor, beta: float, alpha: float) -> Tensor:
    """beta input + alpha y; input is not read where beta is 0, not even a NaN of it."""
    for number, word in ((beta, "beta"), (alpha, "alpha")):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"{name}: {word} must be a number, got {type(number).__name__}")
    if alpha != 1:
        y = affine(y, float(alpha))
    if beta == 0:
        return y
    x = as_tensor(input)
    axes = zip(x.shape[::-1], y.shape[::-1], strict=False)
    if x.ndim > y.ndim or any(size not in (1, whole) for size, whole in axes):
        raise ShapeError(f"{name}: input {x.shape} does not broadcast to {y.shape}")
    x = expand(x, *y.shape)
    return (x if beta == 1 else affine(x, float(beta))) + y  # type: ignore[no-any-return]


@operation("addmm")
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha mat1 mat2, as torch.addmm.

    mat1: (m, k); mat2: (k, n); input broadcasts to the result, (m, n). Raises ShapeError.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> addmm(constant(np.zeros(5)), np.zeros((2, 3)), np.zeros((3, 5))).shape
    (2, 5)
    """
    return _sum("addmm", input, mm(mat1, mat2), beta, alpha)


@operation("baddbmm")
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha batch1[b] batch2[b], as torch.baddbmm.

    batch1: (batch, m, k); batch2: (batch, k, n); input broadcasts to (batch, m, n). Raises
    ShapeError.
    """
    return _sum("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@operation("addbmm")
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha Σ_b batch1[b] batch2[b], as torch.addbmm.

    batch1: (batch, m, k); batch2: (batch, k, n); input broadcasts to (m, n). Raises ShapeError.
    """
    a, b = as_tensor(batch1), as_tensor(batch2)
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1]:
        raise ShapeError(f"addbmm: batches {a.shape} and {b.shape} do not fit")
    depth = math.prod(b.shape[:2])  # the sum over the batch is one over a longer depth
    rows = reshape(a.permute(1, 0, 2), a.shape[1], depth)
    return _sum("addbmm", input, mm(rows, reshape(b, depth, b.shape[2])), beta, alpha)


@operation("addmv")
def addmv(input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha mat vec, as torch.addmv; mat: (m, k), vec: (k), input: (m) or ()."""
    return _sum("addmv", input, mv(mat, vec), beta, alpha)


@operation("addr")
def addr(input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha vec1[i] vec2[j], as torch.addr; input broadcasts to (m, n)."""
    return _sum("addr", input, outer(vec1, vec2), beta, alpha)

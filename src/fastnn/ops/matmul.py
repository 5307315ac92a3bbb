"""Products of vectors, matrices and batches, with PyTorch's rules for shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.expand import expand
from fastnn.ops.product import product
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError


def _ranks(name: str, a: Tensor, b: Tensor, rank_a: int, rank_b: int) -> None:
    """Raise ShapeError unless both have the ranks that `name` takes."""
    words = {1: "a vector", 2: "a matrix", 3: "a batch of matrices (rank 3)"}
    if (a.ndim, b.ndim) != (rank_a, rank_b):
        raise ShapeError(f"{name} takes {words[rank_a]} and {words[rank_b]}, got shapes {a.shape} "
                         f"and {b.shape}; matmul takes any ranks")


def _pair(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    return as_tensor(a), as_tensor(b)


def _fits(name: str, a: Tensor, b: Tensor) -> None:
    depth = b.shape[max(0, b.ndim - 2)]
    if a.shape[-1] != depth:
        raise ShapeError(f"{name}: shapes {a.shape} and {b.shape} do not fit, as {a.shape[-1]} "
                         f"columns meet {depth} rows")


@operation("bmm")
def bmm(input: Any, mat2: Any) -> Tensor:
    """The product of each matrix with that of the other batch: y[b] = input[b] mat2[b].

    input: (batch, m, k); mat2: (batch, k, n). Returns (batch, m, n). Raises ShapeError for others.

    >>> from fastnn.graph import constant
    >>> bmm(constant(np.zeros((8, 2, 3))), np.zeros((8, 3, 5))).shape
    (8, 2, 5)
    """
    a, b = _pair(input, mat2)
    _ranks("bmm", a, b, 3, 3)
    if a.shape[0] != b.shape[0]:
        raise ShapeError(f"bmm: batches of {a.shape[0]} and {b.shape[0]}, got shapes {a.shape} and "
                         f"{b.shape}; matmul broadcasts")
    _fits("bmm", a, b)
    return product(a, b)


@operation("mm")
def mm(input: Any, mat2: Any) -> Tensor:
    """The product of two matrices, (m, k) and (k, n); ShapeError for other ranks.

    >>> from fastnn.graph import constant
    >>> mm(constant(np.zeros((2, 3))), np.zeros((3, 5))).shape
    (2, 5)
    """
    a, b = _pair(input, mat2)
    _ranks("mm", a, b, 2, 2)
    _fits("mm", a, b)
    return product(a, b)


@operation("mv")
def mv(input: Any, vec: Any) -> Tensor:
    """The product of a matrix and a vector: (m, k) and (k) give (m); ShapeError for others.

    >>> from fastnn.graph import constant
    >>> mv(constant(np.zeros((2, 3))), np.zeros(3)).shape
    (2,)
    """
    a, b = _pair(input, vec)
    _ranks("mv", a, b, 2, 1)
    return matmul(a, b)


@operation("dot")
def dot(input: Any, tensor: Any) -> Tensor:
    """The sum of the products of two vectors of one length, a scalar; ShapeError for others.

    >>> from fastnn.graph import constant
    >>> dot(constant(np.zeros(3)), np.zeros(3)).shape
    ()
    """
    a, b = _pair(input, tensor)
    _ranks("dot", a, b, 1, 1)
    return matmul(a, b)


@operation("inner")
def inner(input: Any, other: Any) -> Tensor:
    """Sums of products over the last axis of both: (..., k) and (others, k) give (..., others).

    A scalar multiplies. Raises ShapeError where the last axes differ.

    >>> from fastnn.graph import constant
    >>> inner(constant(np.zeros((2, 3))), np.zeros((4, 5, 3))).shape
    (2, 4, 5)
    """
    a, b = _pair(input, other)
    if a.ndim == 0 or b.ndim == 0:
        return a * b  # type: ignore[no-any-return]
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"inner: the last axes of {a.shape} and {b.shape} differ")
    rows = [reshape(x, math.prod(x.shape[:-1]), x.shape[-1]) for x in (a, b)]
    return reshape(matmul(rows[0], rows[1].transpose(0, 1)), *a.shape[:-1], *b.shape[:-1])


@operation("outer")
def outer(input: Any, vec2: Any) -> Tensor:
    """All products of two vectors: y[i, j] = input[i] vec2[j]; ShapeError for other ranks.

    >>> from fastnn.graph import constant
    >>> outer(constant(np.zeros(2)), np.zeros(3)).shape
    (2, 3)
    """
    a, b = _pair(input, vec2)
    _ranks("outer", a, b, 1, 1)
    return reshape(a, a.shape[0], 1) * reshape(b, 1, b.shape[0])  # type: ignore[no-any-return]


@operation("matmul")
def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product, as torch.matmul and @.

    Two matrices, (m, k) and (k, n), give (m, n). A vector is a row on the left and a column on the
    right, without that axis in the result. Axes before the last two are a batch, and broadcast.

    Raises ShapeError for shapes that do not fit, and for scalars.

    >>> from fastnn.graph import constant
    >>> matmul(constant(np.zeros((5, 1, 2, 3))), np.zeros((4, 3, 6))).shape
    (5, 4, 2, 6)
    >>> matmul(constant(np.zeros((5, 2, 3))), np.zeros(3)).shape
    (5, 2)
    """
    a, b = _pair(input, other)
    if not a.ndim or not b.ndim:
        raise ShapeError(f"matmul takes no scalars, got shapes {a.shape} and {b.shape}: "
                         "write a * b")
    _fits("matmul", a, b)
    k, columns = a.shape[-1], b.shape[-1:] if b.ndim > 1 else ()
    if b.ndim <= 2 or (math.prod(b.shape[:-2]) == 1 and b.ndim <= a.ndim):
        rows = a.shape[:-1]
        y = product(reshape(a, math.prod(rows), k),
                    reshape(b, k, math.prod(columns)))
        return reshape(y, *rows, *columns)
    lines = a.shape[-2:-1]
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"matmul: the batches of {a.shape} and {b.shape} do not broadcast"
                         ) from None
    y = product(_flat_batch(a, batch, (math.prod(lines), k)),
                _flat_batch(b, batch, b.shape[-2:]))
    return reshape(y, *batch, *lines, *columns)


def _flat_batch(x: Tensor, batch: tuple[int, ...], matrix: tuple[int, ...]) -> Tensor:
    """x with its batch axes as one: of size 1 if it is one matrix for all."""
    own = x.shape[:-2]
    if math.prod(own) == 1:
        return reshape(x, 1, *matrix)
    if own != batch:
        x = expand(x, *batch, *matrix)
    return reshape(x, math.prod(batch), *matrix)

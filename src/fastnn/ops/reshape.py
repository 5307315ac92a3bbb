"""Reshape and flatten: the same elements under another shape; free unless channels-last differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import (
    Call,
    Node,
    Op,
    ShapeError,
    Spec,
    Tensor,
    apply,
    as_tensor,
    element_strides,
    storage_axes,
)


def same_memory(shape: tuple[int, ...]) -> bool:
    """Whether a tensor's storage order is also its logical, row-major order."""
    moved = [axis for axis in storage_axes(len(shape)) if shape[axis] != 1]
    return moved == sorted(moved)


def copy_call(
    x: Tensor, y: Tensor, shape: Sequence[int], x_strides: Sequence[int], y_strides: Sequence[int],
    x_offset: int = 0, y_offset: int = 0,
) -> Call:
    """One strided copy, its axes ordered so that y is written in the order of its memory."""
    axes = sorted(range(len(shape)), key=lambda axis: -abs(y_strides[axis]))
    parts = [[values[axis] for axis in axes] for values in (shape, x_strides, y_strides)]
    return Call("copy", (x, y), (len(shape), x_offset, y_offset, *parts[0], *parts[1], *parts[2]))


def row_major(shape: Sequence[int]) -> list[int]:
    """Strides in elements of a row-major array."""
    return [math.prod(shape[axis + 1:]) for axis in range(len(shape))]


@dataclass(frozen=True)
class Reshape(Op):
    """y = x with another shape, elements in logical (row-major) order."""

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "reshape"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        if math.prod(self.shape) != x.size:
            raise ShapeError(f"cannot reshape {x.shape} ({x.size} elements) into {self.shape}")
        if not same_memory(x.shape) and not same_memory(self.shape):
            raise ShapeError(f"reshape of rank 4 to rank 4 goes through a matrix: {self.shape}")
        return (Spec(self.shape, x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (reshape(grads[0], node.inputs[0].shape),)

    def view_of(self, node: Node) -> int | None:
        shapes = (node.inputs[0].shape, self.shape)
        return 0 if all(same_memory(shape) for shape in shapes) else None

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        if same_memory(x.shape):
            return [copy_call(x, y, y.shape, row_major(y.shape), element_strides(y.shape))]
        return [copy_call(x, y, x.shape, element_strides(x.shape), row_major(x.shape))]


def reshape(x: Any, *shape: Any) -> Tensor:
    """x with another shape; one size may be -1.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> reshape(constant(np.zeros((2, 6))), 3, -1).shape
    (3, 4)
    """
    x = as_tensor(x)
    sizes = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    if sizes.count(-1) > 1:
        raise ShapeError(f"only one size of {tuple(sizes)} may be -1")
    if -1 in sizes:
        known = -math.prod(sizes)
        if known <= 0 or x.size % known:
            raise ShapeError(f"cannot reshape {x.shape} ({x.size} elements) into {tuple(sizes)}")
        sizes[sizes.index(-1)] = x.size // known
    if tuple(sizes) == x.shape:
        return x
    if len(sizes) == 4 and not same_memory(x.shape) and not same_memory(tuple(sizes)):
        x = apply(Reshape((x.size,)), x)
    return apply(Reshape(tuple(sizes)), x)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """x with the axes start_dim .. end_dim made one.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> flatten(constant(np.zeros((2, 3, 4))), 1).shape
    (2, 12)
    """
    x = as_tensor(x)
    start, end = start_dim % max(x.ndim, 1), end_dim % max(x.ndim, 1)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} is after end_dim {end_dim}")
    return reshape(x, *x.shape[:start], math.prod(x.shape[start:end + 1]), *x.shape[end + 1:])

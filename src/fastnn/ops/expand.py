"""Expand: a tensor repeated along its axes of size 1, as NumPy's broadcast_to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum_to
from fastnn.ops.reshape import copy_call, sizes_of
from fastnn.spec import ShapeError, Spec, element_strides


def side_by_side(node: Node, of_batch: Sequence[bool]) -> bool:
    """`Op.by_example` of operations that broadcast.

    True if operands from the batch have a row for each output row, and others broadcast over rows.
    """
    rows, rank = node.outputs[0].shape[:1], node.outputs[0].ndim
    return all(
        (x.ndim == rank and x.shape[:1] == rows) if inside else _same_for_all(x, rank)
        for x, inside in zip(node.inputs, of_batch, strict=True))


def _same_for_all(x: Tensor, rank: int) -> bool:
    if x.ndim < rank or x.shape[:1] == (1,):
        return True
    return isinstance(x.node.op, Expand) and _same_for_all(x.node.inputs[0], rank)


@dataclass(frozen=True)
class Expand(Op):
    """y = x broadcast to shape."""

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "expand"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        try:
            fits = np.broadcast_shapes(x.shape, self.shape) == self.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"cannot expand {x.shape} to {self.shape}")
        return (Spec(self.shape, x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (sum_to(grads[0], node.inputs[0].shape),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return side_by_side(node, of_batch)

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        strides = [0 if size == 1 else stride
                   for size, stride in zip(x.shape, element_strides(x.shape), strict=True)]
        x_strides = [0] * (y.ndim - x.ndim) + strides
        return [copy_call(x, y, y.shape, x_strides, element_strides(y.shape))]


@operation("expand")
def expand(x: Any, *shape: Any) -> Tensor:
    """x repeated along axes of size 1 until it has `shape`; -1 keeps a size."""
    x = as_tensor(x)
    sizes = sizes_of(shape)
    for back in range(1, min(x.ndim, len(sizes)) + 1):
        if sizes[-back] == -1:
            sizes[-back] = x.shape[-back]
    return x if tuple(sizes) == x.shape else apply(Expand(tuple(sizes)), x)

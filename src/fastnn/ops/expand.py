"""Expand: a tensor repeated along its axes of size 1, as NumPy's broadcast_to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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

    keeps_elements: ClassVar[bool] = True

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
        kept = [axis for axis, size in enumerate(y.shape) if size != 1]
        shape, reads, writes = ([values[axis] for axis in kept]
                                for values in (y.shape, x_strides, element_strides(y.shape)))
        return [copy_call(x, y, shape, reads, writes)]


@operation("expand")
def expand(input: Any, *sizes: Any, size: Any = None) -> Tensor:
    """`input` repeated along axes of size 1 until it has the sizes given; -1 keeps a size.

    >>> from fastnn.graph import constant
    >>> expand(constant(np.zeros((3, 1))), 2, -1, 4).shape
    (2, 3, 4)
    """
    x, new = as_tensor(input), sizes_of(sizes if size is None else (*sizes, size))
    for back in range(1, min(x.ndim, len(new)) + 1):
        if new[-back] == -1:
            new[-back] = x.shape[-back]
    return x if tuple(new) == x.shape else apply(Expand(tuple(new)), x)


@operation("broadcast_to")
def broadcast_to(input: Any, size: Sequence[int]) -> Tensor:
    """`expand` with its sizes as one tuple."""
    return expand(input, size)


@operation("expand_as")
def expand_as(input: Any, other: Any) -> Tensor:
    """`input` expanded to the shape of `other`."""
    return expand(input, as_tensor(other).shape)


@operation()
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors expanded to the shape that they have together.

    >>> from fastnn.graph import constant
    >>> [x.shape for x in broadcast_tensors(constant(np.zeros(3)), constant(np.zeros((2, 1))))]
    [(2, 3), (2, 3)]
    """
    values = [as_tensor(x) for x in tensors]
    shapes = [x.shape for x in values]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_tensors: shapes {shapes} do not fit") from None
    return tuple(expand(x, shape) for x in values)

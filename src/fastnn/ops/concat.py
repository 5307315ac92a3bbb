"""Concatenation along an axis; its gradient is a slice for each input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import instance
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.expand import side_by_side
from fastnn.ops.public import operation
from fastnn.ops.reshape import copy_call, one_axis
from fastnn.ops.slice import Slice
from fastnn.spec import ShapeError, Spec, element_strides


@dataclass(frozen=True)
class Concat(Op):
    """y = the inputs, one after the other along `axis`."""

    axis: int

    @property
    def name(self) -> str:
        return "cat"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        first = inputs[0]
        for x in inputs[1:]:
            same = len(x.shape) == len(first.shape) and all(
                a == b for i, (a, b) in enumerate(zip(x.shape, first.shape, strict=True))
                if i != self.axis)
            if not same or x.dtype != first.dtype:
                raise ShapeError(
                    f"cat along axis {self.axis}: {x.shape} does not fit {first.shape}")
        total = sum(x.shape[self.axis] for x in inputs)
        shape = (*first.shape[:self.axis], total, *first.shape[self.axis + 1:])
        return (Spec(shape, first.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        result: list[Tensor | None] = []
        start = 0
        for x, want in zip(node.inputs, wanted, strict=True):
            starts = tuple(start if axis == self.axis else 0 for axis in range(x.ndim))
            part = Slice(starts, (1,) * x.ndim, x.shape)
            result.append(apply(part, grads[0]) if want else None)
            start += x.shape[self.axis]
        return result

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0 and side_by_side(node, of_batch)

    def lower(self, node: Node) -> list[Call]:
        y = node.outputs[0]
        strides, calls, start = element_strides(y.shape), [], 0
        for x in node.inputs:
            calls.append(copy_call(x, y, x.shape, element_strides(x.shape), strides,
                                   y_offset=start * strides[self.axis]))
            start += x.shape[self.axis]
        return calls


@operation()
def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """The tensors one after the other along axis `dim`.

    They have one shape but for that axis. As in PyTorch, one of shape (0,) is left out, and
    integers beside floats become floats.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> cat([constant(np.zeros((2, 3))), constant(np.zeros((2, 5)))], dim=1).shape
    (2, 8)
    """
    every = tensors_of("cat", tensors)
    values = [x for x in every if x.shape != (0,)] or every[:1]
    if values[0].ndim == 0:
        raise ShapeError("cat: scalars cannot be concatenated; write fn.stack")
    axis = one_axis(values[0], dim)
    return values[0] if len(values) == 1 else apply(Concat(axis), *values)


@operation()
def concat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """`cat` by another name."""
    return cat(tensors, dim)


@operation()
def concatenate(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """`cat` by another name."""
    return cat(tensors, dim)


def tensors_of(name: str, tensors: Any) -> list[Tensor]:
    """The tensors of a list; as floats, if some are."""
    values = [as_tensor(x) for x in instance(tensors, f"what {name} takes", (list, tuple))]
    if not values:
        raise ShapeError(f"{name} needs at least one tensor")
    mixed = len({x.dtype for x in values}) > 1
    return [as_float(x) for x in values] if mixed else values

"""Permute and transpose: the same elements with their axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, copy_call, sizes_of
from fastnn.spec import ShapeError, Spec, element_strides


@dataclass(frozen=True)
class Permute(Op):
    """y's axis i is x's axis axes[i]."""

    axes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "permute"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        if sorted(self.axes) != list(range(len(x.shape))):
            raise ShapeError(f"permute: {self.axes} is no order of the axes of {x.shape}")
        return (Spec(tuple(x.shape[axis] for axis in self.axes), x.dtype),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Permute(tuple(int(i) for i in np.argsort(self.axes))), grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axes[0] == 0

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        strides = element_strides(x.shape)
        x_strides = [strides[axis] for axis in self.axes]
        return [copy_call(x, y, y.shape, x_strides, element_strides(y.shape))]


@operation("permute")
def permute(x: Any, *axes: Any) -> Tensor:
    """x with its axes in the order given."""
    x = as_tensor(x)
    return apply(Permute(check_axes(x, sizes_of(axes))), x)


@operation("transpose")
def transpose(x: Any, dim0: int, dim1: int) -> Tensor:
    """x with two axes exchanged."""
    x = as_tensor(x)
    first, second = check_axes(x, (dim0,)) + check_axes(x, (dim1,))
    axes = list(range(x.ndim))
    axes[first], axes[second] = second, first
    return permute(x, axes)

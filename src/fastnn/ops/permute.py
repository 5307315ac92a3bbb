"""Permute, transpose and their kin: the same elements with their axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, SupportsIndex

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, copy_call, one_axis, sizes_of
from fastnn.spec import ShapeError, Spec, element_strides, storage_axes


@dataclass(frozen=True)
class Permute(Op):
    """y's axis i is x's axis axes[i]."""

    keeps_elements: ClassVar[bool] = True

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
        return (permute(grads[0], [int(axis) for axis in np.argsort(self.axes)]),)

    def view_of(self, node: Node) -> int | None:
        """Whether axes longer than 1 lie in memory as they did."""
        shape, rank = node.inputs[0].shape, len(self.axes)
        before = [axis for axis in storage_axes(rank) if shape[axis] != 1]
        after = [self.axes[axis] for axis in storage_axes(rank)
                 if shape[self.axes[axis]] != 1]
        return 0 if before == after else None

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axes[:1] == (0,)

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        strides = element_strides(x.shape)
        x_strides = [strides[axis] for axis in self.axes]
        return [copy_call(x, y, y.shape, x_strides, element_strides(y.shape))]


@operation("permute")
def permute(input: Any, *axes: Any, dims: Any = None) -> Tensor:
    """`input` with its axes in the order given, as numbers or as one tuple.

    Permutations of a permutation become one, or none where they undo each other.

    >>> from fastnn.graph import constant
    >>> permute(constant(np.zeros((2, 3, 4))), (2, 0, -2)).shape
    (4, 2, 3)
    """
    x = as_tensor(input)
    order = check_axes(x, sizes_of(axes if dims is None else (*axes, dims)))
    if isinstance(x.node.op, Permute) and len(order) == x.ndim:
        order, x = tuple(x.node.op.axes[axis] for axis in order), x.node.inputs[0]
    return x if order == tuple(range(x.ndim)) else apply(Permute(order), x)


@operation("transpose")
def transpose(input: Any, dim0: int, dim1: int) -> Tensor:
    """`input` with two axes exchanged.

    >>> from fastnn.graph import constant
    >>> transpose(constant(np.zeros((2, 3, 4))), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(input)
    first, second = one_axis(x, dim0), one_axis(x, dim1)
    axes = list(range(x.ndim))
    if first != second:
        axes[first], axes[second] = second, first
    return permute(x, axes)


@operation("swapaxes")
def swapaxes(input: Any, axis0: int, axis1: int) -> Tensor:
    """`transpose` by another name."""
    return transpose(input, axis0, axis1)


@operation("swapdims")
def swapdims(input: Any, dim0: int, dim1: int) -> Tensor:
    """`transpose` by another name."""
    return transpose(input, dim0, dim1)


@operation("movedim")
def movedim(input: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """`input` with the axes `source` at the places `destination`, the others in order around them.

    Raises ShapeError if the two differ in number, or one names an axis twice.

    >>> from fastnn.graph import constant
    >>> movedim(constant(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    x = as_tensor(input)
    moved = check_axes(x, (source,) if isinstance(source, SupportsIndex) else source)
    places = check_axes(x, (destination,) if isinstance(destination, SupportsIndex)
                        else destination)
    if len(moved) != len(places):
        raise ShapeError(f"movedim: {len(moved)} axes cannot go to {len(places)} places")
    order = dict(zip(places, moved, strict=True))
    rest = (axis for axis in range(x.ndim) if axis not in moved)
    return permute(x, [order[place] if place in order else next(rest) for place in range(x.ndim)])


@operation("moveaxis")
def moveaxis(input: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """`movedim` by another name."""
    return movedim(input, source, destination)


@operation("t")
def t(input: Any) -> Tensor:
    """The transpose of a matrix; vectors and scalars stay as they are. Also `x.T`.

    >>> from fastnn.graph import constant
    >>> t(constant(np.zeros((2, 3)))).shape
    (3, 2)
    """
    x = as_tensor(input)
    if x.ndim > 2:
        raise ShapeError(f"t and T take a matrix, got shape {x.shape}: write x.mT for matrices "
                         "along the last two axes, or x.permute with all axes")
    return transpose(x, 0, 1) if x.ndim == 2 else x


@operation("adjoint")
def adjoint(input: Any) -> Tensor:
    """The last two axes exchanged (numbers here are real). Also `x.mT`.

    >>> from fastnn.graph import constant
    >>> adjoint(constant(np.zeros((5, 2, 3)))).shape
    (5, 3, 2)
    """
    x = as_tensor(input)
    if x.ndim < 2:
        raise ShapeError(f"mT takes a matrix or several, got shape {x.shape}")
    return transpose(x, -2, -1)

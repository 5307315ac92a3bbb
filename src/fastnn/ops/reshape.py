"""Reshape and flatten: a view, or a copy where channels-last storage makes the order differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, ClassVar, SupportsIndex

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.spec import ShapeError, Spec, element_strides, storage_axes


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
    words = y.dtype.itemsize // 4  # the kernel copies words of 4 bytes
    inner = [words] if words > 1 else []
    sizes = [shape[axis] for axis in axes] + inner
    strides = [[words * values[axis] for axis in axes] + [1] * len(inner)
               for values in (x_strides, y_strides)]
    return Call("copy", (x, y), (len(sizes), words * x_offset, words * y_offset, *sizes,
                                 *strides[0], *strides[1]))


def sizes_of(arguments: Sequence[Any]) -> list[int]:
    """The integers of f(2, 3) or f((2, 3)); TypeError for anything else."""
    one = len(arguments) == 1 and not isinstance(arguments[0], SupportsIndex)
    sizes = arguments[0] if one else arguments
    try:
        return [index(size) for size in sizes]
    except TypeError:
        raise TypeError(f"sizes and axes must be integers, got {sizes!r:.80}") from None


def check_axes(x: Tensor, axes: Sequence[SupportsIndex]) -> tuple[int, ...]:
    """Axes of x as numbers from 0; ShapeError for an axis out of range or named twice."""
    try:
        numbers = [index(axis) for axis in axes]
    except TypeError:
        raise TypeError(f"axes must be integers, got {axes!r:.80}") from None
    for axis in numbers:
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(f"axis {axis} is outside of shape {x.shape}")
    result = tuple(axis % x.ndim for axis in numbers)
    if len(set(result)) < len(result):
        raise ShapeError(f"an axis of shape {x.shape} is named twice: {tuple(numbers)}")
    return result


def one_axis(x: Tensor, dim: Any, more: int = 0) -> int:
    """An axis of x, counted from 0, where x may have `more` axes; a scalar has the axes 0 and -1.

    Raises ShapeError for one out of range.
    """
    try:
        number = index(dim)
    except TypeError:
        raise TypeError(f"axes must be integers, got {dim!r:.80}") from None
    axes = max(x.ndim + more, 1)
    if not -axes <= number < axes:
        raise ShapeError(f"axis {number} is outside of shape {x.shape}")
    return number % axes


def row_major(shape: Sequence[int]) -> list[int]:
    """Strides in elements of a row-major array."""
    return [math.prod(shape[axis + 1:]) for axis in range(len(shape))]


@dataclass(frozen=True)
class Reshape(Op):
    """y = x with another shape, elements in logical (row-major) order."""

    keeps_elements: ClassVar[bool] = True

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

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        if self.view_of(node) is not None:
            return []
        if same_memory(x.shape):
            return [copy_call(x, y, y.shape, row_major(y.shape), element_strides(y.shape))]
        return [copy_call(x, y, x.shape, element_strides(x.shape), row_major(x.shape))]


@operation("reshape", "view")
def reshape(input: Any, *sizes: Any, shape: Any = None) -> Tensor:
    """`input` with another shape, given as numbers or as one tuple; one size may be -1.

    Raises ShapeError if the sizes do not multiply to the number of elements.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> reshape(constant(np.zeros((2, 6))), 3, -1).shape
    (3, 4)
    """
    x, new = as_tensor(input), sizes_of(sizes if shape is None else (*sizes, shape))
    if new.count(-1) > 1 or min(new, default=0) < -1:
        raise ShapeError(f"only one size of {tuple(new)} may be -1, and none less")
    if -1 in new:
        others = -math.prod(new)  # the product of all sizes but -1
        if others <= 0 or x.size % others:
            raise ShapeError(f"cannot reshape {x.shape} ({x.size} elements) into {tuple(new)}")
        new[new.index(-1)] = x.size // others
    if tuple(new) == x.shape:
        return x
    if len(new) == 4 and not same_memory(x.shape) and not same_memory(tuple(new)):
        x = apply(Reshape((x.size,)), x)
    return apply(Reshape(tuple(new)), x)


@operation("flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """`input` with the axes start_dim .. end_dim merged into one; a scalar becomes (1,).

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> flatten(constant(np.zeros((2, 3, 4))), 1).shape
    (2, 12)
    """
    x = as_tensor(input)
    start, end = one_axis(x, start_dim), one_axis(x, end_dim)
    if x.ndim == 0:
        return reshape(x, 1)
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} is after end_dim {end_dim}")
    return reshape(x, *x.shape[:start], math.prod(x.shape[start:end + 1]), *x.shape[end + 1:])

"""Indices of a user as places: checked, negative ones from the end, several axes as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Call, ClassNumbers, Node, Op, Tensor, apply, as_tensor, constant, leaf
from fastnn.ops.binary import broadcast_shape, broadcast_strides
from fastnn.ops.expand import side_by_side
from fastnn.ops.tables import known
from fastnn.spec import INDEX, ShapeError, Spec, storage_shape


@dataclass(frozen=True)
class Places(Op):
    """y = (a, or a + size where a < 0) * stride + b, broadcast; -1 where a is outside or b < 0.

    axis: words for what `a` are places of; negative: whether those may count from the end.
    """

    size: int
    stride: int
    axis: str
    negative: bool = True

    @property
    def name(self) -> str:
        return "places"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(broadcast_shape("indices", *inputs), INDEX),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None, None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return side_by_side(node, of_batch)

    def class_numbers(self, node: Node) -> ClassNumbers:
        least = -self.size if self.negative else 0
        return ClassNumbers(node.inputs[0], self.size, 0, least, self.axis)

    def lower(self, node: Node) -> list[Call]:
        (y,) = node.outputs
        a, b = (broadcast_strides(x.shape, y.shape) for x in node.inputs)
        d = (0, y.ndim, *storage_shape(y.shape), *a, *b)
        return [Call("places", (*node.inputs, y), d, (float(self.size), float(self.stride)))]


def whole_numbers(array: Any, name: str) -> np.ndarray:
    """An array of int64; TypeError for other numbers, floats and masks too."""
    given = np.asarray(array)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got an array of {given.dtype}")
    return np.asarray(given, INDEX)


def check_range(index: np.ndarray, size: int, axis: str, least: int = 0) -> None:
    """ShapeError unless all indices are from `least` to size - 1."""
    if index.size and (index.min() < least or index.max() >= size):
        raise ShapeError(f"indices are from {index.min()} to {index.max()}, expected {least} to "
                         f"{size - 1}: {axis} has {size} places")


def as_index(name: str, value: Any) -> Tensor:
    """Integers as an int64 tensor, an array or a number as a constant; TypeError for others."""
    if hasattr(value, "__tensor__"):
        tensor: Tensor = as_tensor(value)
        if tensor.dtype != INDEX:
            raise TypeError(f"{name}: indices must be integers, got {tensor.dtype}: pass an array "
                            "of int64, such as y.astype(np.int64)")
        return tensor
    array = whole_numbers(value, f"{name}: indices")
    return constant(array) if array.ndim else leaf("constant", array, Spec((), INDEX))


def checked_index(name: str, value: Any, size: int, axis: str) -> Tensor:
    """`as_index`, with constants checked to be from 0 to size - 1 (others are, before a run)."""
    index = as_index(name, value)
    values = known(index)
    if values is not None:
        check_range(values, size, f"{name}: {axis}")
    return index


def wrapped_index(name: str, value: Any, size: int, axis: str) -> Tensor:
    """`checked_index` of indices that may be negative, which count from the end."""
    index = as_index(name, value)
    values = known(index)
    if values is None:
        return apply(Places(size, 1, f"{name}: {axis}"), index, _zero())
    check_range(values, size, f"{name}: {axis}", -size)
    return as_index(name, np.asarray(values % max(size, 1)))


def _zero() -> Tensor:
    return leaf("constant", np.zeros((), INDEX), Spec((), INDEX))


def joined_places(indices: Sequence[Any], sizes: Sequence[int]) -> Tensor:
    """One number for each place along several axes, row-major; indices broadcast.

    indices: int64 arrays (checked by the caller) or symbolic tensors; negative ones count from the
    end.
    """
    if all(isinstance(index, np.ndarray) for index in indices):
        found = np.zeros((), INDEX)
        for index, size in zip(indices, sizes, strict=True):
            found = found * size + index % max(size, 1)
        return constant(found.reshape(-1)) if found.ndim != 1 else constant(found)
    places, stride = _zero(), 1
    for index, size in reversed(list(zip(indices, sizes, strict=True))):
        places = apply(Places(size, stride, "the axis"), as_index("an index", index), places)
        stride *= size
    return places

"""Specs of values: shape, dtype and storage order.

The one rule of storage: a tensor of rank 4 (images, convolution weights) is stored channels-last,
everything else row-major.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import context
from fastnn.advice import hints

FLOAT, INDEX, BYTE = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.uint8)
Shape = tuple[int, ...]
IGNORED = -100  # the class number that cross-entropy leaves out by default, as PyTorch's
MOST_BYTES = 2**56  # of one tensor; more than any processor can address


class ShapeError(ValueError):
    """Shapes that do not fit; the message names the layer, the shapes and what was expected."""

    def __init__(self, message: str) -> None:
        path = context.current_scope()
        super().__init__(f"{path}: {message}" if path else message)
        self.in_loss = path.startswith("loss")

    def explain(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Add how to fix the arrays that were given (x, y or others)."""
        other = "x" if self.in_loss else "y"
        suspects = {name: array for name, array in arrays.items() if not name.startswith(other)}
        said = hints(arrays, suspects if isinstance(self, NotFloatError) else {})
        self.args = ("; ".join([*self.args, *said]),)


class NotFloatError(ShapeError):
    """Integers where floats are needed; the caller that binds arrays adds their names."""


def storage_axes(rank: int) -> Shape:
    """Logical axes in storage order: channels-last for rank 4."""
    return (0, 2, 3, 1) if rank == 4 else tuple(range(rank))


def storage_shape(shape: Shape) -> Shape:
    """The shape in storage order."""
    return tuple(shape[axis] for axis in storage_axes(len(shape)))


def element_strides(shape: Shape) -> Shape:
    """Strides of the logical axes in elements, for a tensor in its storage order."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(storage_axes(len(shape))):
        strides[axis], step = step, step * shape[axis]
    return tuple(strides)


def logical_view(memory: np.ndarray, shape: Shape) -> np.ndarray:
    """A view, with logical axes, of a tensor in storage order."""
    if len(shape) != 4:
        return memory.reshape(shape)
    return memory.reshape(storage_shape(shape)).transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class Spec:
    """Shape and dtype of one value."""

    shape: Shape
    dtype: np.dtype[Any] = FLOAT

    def __post_init__(self) -> None:
        if min(self.shape, default=0) < 0 or self.bytes > MOST_BYTES:
            raise ShapeError(f"no memory holds a tensor of shape {self.shape}")

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.size * self.dtype.itemsize


def check_float(name: str, *specs: Spec) -> None:
    """Raise NotFloatError unless all are float32."""
    if any(spec.dtype != FLOAT for spec in specs):
        kinds = ["integers" if spec.dtype == INDEX else str(spec.dtype) for spec in specs]
        raise NotFloatError(f"{name} needs float32, got {' and '.join(kinds)}")

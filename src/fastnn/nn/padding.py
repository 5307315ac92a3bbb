"""Padding layers, of sequences and images."""

from __future__ import annotations

from typing import Any, ClassVar, SupportsIndex

from fastnn.arguments import real
from fastnn.nn.module import Module
from fastnn.ops.pad import pad
from fastnn.ops.reshape import sizes_of
from fastnn.spec import ShapeError


class _Pad(Module):
    """Base of all: padding is one number, or (before, after) for each axis, the last one first."""

    axes: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float = 0.0

    def __init__(self, padding: Any) -> None:
        super().__init__()
        count = 2 * self.axes
        self.padding = ((padding,) * count if isinstance(padding, SupportsIndex)
                        else tuple(sizes_of((padding,))))
        if len(self.padding) != count:
            raise ShapeError(f"{type(self).__name__}: padding must be one integer or {count}, got "
                             f"{padding!r}")

    def forward(self, input: Any) -> Any:
        return pad(input, self.padding, self.mode,
                   self.value if self.mode == "constant" else None)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = real(value, "value")

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Sequences with elements of `value` before and after, as torch.nn.ConstantPad1d."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Images with a frame of `value`, as torch.nn.ConstantPad2d."""

    axes = 2


class ZeroPad1d(_Pad):
    """Sequences with zeros before and after, as torch.nn.ZeroPad1d."""

    axes = 1


class ZeroPad2d(_Pad):
    """Images with a frame of zeros; padding: (left, right, top, bottom) or one number.

    >>> import numpy as np
    >>> ZeroPad2d((1, 0, 2, 0))(np.ones((1, 3, 4, 4), np.float32)).shape
    (1, 3, 6, 5)
    """

    axes = 2


class ReflectionPad1d(_Pad):
    """Sequences mirrored at their first and last element, as torch.nn.ReflectionPad1d."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Images mirrored at their edges, as torch.nn.ReflectionPad2d."""

    axes, mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """Sequences with their first and last element repeated, as torch.nn.ReplicationPad1d."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Images with the pixels of their edges repeated, as torch.nn.ReplicationPad2d."""

    axes, mode = 2, "replicate"


class CircularPad1d(_Pad):
    """Sequences that go on with their other end, as torch.nn.CircularPad1d."""

    axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Images that go on with their other side, as torch.nn.CircularPad2d."""

    axes, mode = 2, "circular"

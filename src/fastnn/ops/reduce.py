"""Sum and mean over axes, and the sum that undoes a broadcast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from fastnn.arguments import flag
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, reshape
from fastnn.spec import ShapeError, Spec, check_float, storage_axes


@dataclass(frozen=True)
class Sum(Op):
    """y = scale * sum of x over axes that lie next to each other in memory; sizes become 1."""

    axes: tuple[int, ...]
    scale: float = 1.0

    @property
    def name(self) -> str:
        return "sum"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        (x,) = inputs
        check_float("sum", x)
        return (Spec(tuple(1 if axis in self.axes else size for axis, size in enumerate(x.shape))),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        dy = grads[0]
        if self.scale != 1.0:
            dy = FUNCTIONS["affine"](dy, self.scale)
        return (dy.expand(node.inputs[0].shape),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return 0 not in self.axes

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        order = [axis for axis in storage_axes(x.ndim)]
        places = [order.index(axis) for axis in self.axes]
        first, last = min(places), max(places)
        sizes = [x.shape[axis] for axis in order]
        d = (math.prod(sizes[:first]), math.prod(sizes[first:last + 1]),
             math.prod(sizes[last + 1:]))
        return [Call("reduce_sum", (x, y), d, (self.scale,))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


def _runs(shape: tuple[int, ...], axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Group the axes by runs that are contiguous in memory; axes of size 1 fit any run."""
    groups: list[list[int]] = []
    open_group = False
    for axis in storage_axes(len(shape)):
        if axis in axes:
            if not open_group:
                groups.append([])
            groups[-1].append(axis)
            open_group = True
        elif shape[axis] != 1:
            open_group = False
    return [tuple(group) for group in groups]


def _axes(x: Tensor, dim: int | Sequence[int] | None) -> tuple[int, ...]:
    axes = () if dim is None else check_axes(x, (dim,) if isinstance(dim, SupportsIndex) else dim)
    return axes or tuple(range(x.ndim))


def _reduce(x: Any, dim: Any, keepdim: bool, average: bool) -> Tensor:
    x = as_tensor(x)
    axes = _axes(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    if not count:
        raise ShapeError(f"a sum or mean needs one element at least, got shape {x.shape}")
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    y = x
    for last, group in enumerate(reversed(_runs(x.shape, axes))):
        y = apply(Sum(group, 1.0 / count if average and last == 0 else 1.0), y)
    if flag(keepdim, "keepdim"):
        return reshape(y, shape)
    return reshape(y, tuple(size for axis, size in enumerate(x.shape) if axis not in axes))


@operation("sum")
def sum(x: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """Sum over the axes `dim`; over all axes if it is None or empty, as in PyTorch.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> sum(constant(np.zeros((2, 3, 4))), dim=1).shape
    (2, 4)
    """
    return _reduce(x, dim, keepdim, average=False)


@operation("mean")
def mean(x: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """Mean over the axes `dim`; over all axes if it is None or empty, as in PyTorch.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> mean(constant(np.zeros((2, 3, 4))), dim=(0, 2), keepdim=True).shape
    (1, 3, 1)
    """
    return _reduce(x, dim, keepdim, average=True)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The sum of x over the axes along which `shape` was broadcast to x's shape."""
    if x.shape == shape:
        return x
    missing = x.ndim - len(shape)
    axes = list(range(missing)) + [missing + axis for axis, size in enumerate(shape)
                                   if size == 1 and x.shape[missing + axis] != 1]
    return reshape(sum(x, axes, keepdim=True), shape) if axes else reshape(x, shape)

"""Sum and mean over axes, and the sum that undoes a broadcast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduced_axes import around, axes_of, check_dtype, dropped, kept, runs
from fastnn.ops.reshape import reshape
from fastnn.spec import Spec, check_float


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
        return (Spec(kept(x.shape, self.axes)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, dy = node.inputs[0], grads[0]
        if self.scale != 1.0 and x.spec.size:  # the mean of nothing has no scale
            dy = FUNCTIONS["affine"](dy, self.scale)
        return (dy.expand(x.shape),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return 0 not in self.axes

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        return [Call("reduce_sum", (x, y), around(x.shape, self.axes), (self.scale,))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


def _reduce(x: Tensor, dim: Any, keepdim: bool, average: bool) -> Tensor:
    axes = axes_of(x, dim)
    count = math.prod(x.shape[axis] for axis in axes)
    groups = runs(x.shape, axes)
    # Nothing at all is scaled last: 0 * NaN, where a sum of no NaN would be 0.
    scaled = groups[:1] if x.spec.size == 0 else groups[-1:]
    check_float("sum", x.spec)
    y = x
    for group in reversed(groups):
        scale = (1.0 / count if count else math.nan) if average and group in scaled else 1.0
        y = apply(Sum(group, scale), y)
    return reshape(y, dropped(x.shape, axes, flag(keepdim, "keepdim")))


@operation("sum")
def sum(
    input: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Sum over the axes `dim`; over all axes if it is None or empty, as in PyTorch.

    A sum of nothing is 0.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> sum(constant(np.zeros((2, 3, 4))), dim=1).shape
    (2, 4)
    """
    check_dtype("sum", dtype)
    return _reduce(as_tensor(input), dim, keepdim, average=False)


@operation("mean")
def mean(
    input: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Mean over the axes `dim`; over all axes if it is None or empty, as in PyTorch.

    A mean of nothing is NaN.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> mean(constant(np.zeros((2, 3, 4))), dim=(0, 2), keepdim=True).shape
    (1, 3, 1)
    """
    check_dtype("mean", dtype)
    return _reduce(as_tensor(input), dim, keepdim, average=True)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The sum of x over the axes along which `shape` was broadcast to x's shape."""
    if x.shape == shape:
        return x
    missing = x.ndim - len(shape)
    axes = list(range(missing)) + [missing + axis for axis, size in enumerate(shape)
                                   if size == 1 and x.shape[missing + axis] != 1]
    return reshape(sum(x, axes, keepdim=True), shape) if axes else reshape(x, shape)

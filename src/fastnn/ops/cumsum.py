"""Running sums along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reduced_axes import around, check_dtype
from fastnn.ops.reshape import check_axes, reshape
from fastnn.spec import Spec, check_float


@dataclass(frozen=True)
class Cumsum(Op):
    """y[k] = Σ x[j] over j <= k along an axis; over j >= k if reverse."""

    axis: int
    reverse: bool = False

    @property
    def name(self) -> str:
        return "cumsum"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float("cumsum", inputs[0])
        return inputs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Cumsum(self.axis, not self.reverse), grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0

    def lower(self, node: Node) -> list[Call]:
        x, y = node.inputs[0], node.outputs[0]
        return [Call("cumsum", (x, y), (*around(x.shape, (self.axis,)), int(self.reverse)))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


@operation("cumsum")
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Tensor:
    """y[k] = x[0] + .. + x[k] along the axis `dim`; y has the shape of x. Sums are in double.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> cumsum(constant(np.ones((4, 5))), 1).shape
    (4, 5)
    """
    x = as_tensor(input)
    check_dtype("cumsum", dtype)
    row = reshape(x, 1) if x.ndim == 0 else x
    (axis,) = check_axes(row, (dim,))
    return reshape(apply(Cumsum(axis), row), x.shape)

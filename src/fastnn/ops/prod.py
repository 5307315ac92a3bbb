"""Products over an axis, or over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import flag
from fastnn.graph import Call, Composed, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.binary import mul
from fastnn.ops.expand import expand
from fastnn.ops.permute import permute
from fastnn.ops.public import operation
from fastnn.ops.reduced_axes import around, axes_of, check_dtype, dropped, kept, together
from fastnn.ops.reshape import check_axes, reshape
from fastnn.ops.where import where
from fastnn.spec import Spec, check_float


@dataclass(frozen=True)
class Prod(Op):
    """y = Π x over axes that are one run in memory; sizes become 1."""

    axes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "prod"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_float("prod", inputs[0])
        return (Spec(kept(inputs[0].shape, self.axes)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(ProdGrad(self.axes), node.inputs[0], grads[0]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return 0 not in self.axes

    def lower(self, node: Node) -> list[Call]:
        x = node.inputs[0]
        return [Call("prod", (x, *node.outputs), around(x.shape, self.axes))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[0].size)


@dataclass(frozen=True)
class ProdGrad(Composed):
    """dx = dy times the product of all other x; inputs x, dy."""

    axes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "prod_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        """By the product of each row of a square whose diagonal is 1, for each element."""
        x, dy = inputs
        others = [axis for axis in range(x.ndim) if axis not in self.axes]
        order = (*others, *self.axes)
        last = permute(x, order)
        rows = math.prod(last.shape[:len(others)])
        size = math.prod(last.shape[len(others):])
        square = expand(reshape(last, rows, 1, size), rows, size, size)
        rest = reshape(prod(where(np.eye(size), 1.0, square), 2), last.shape)
        back = permute(rest, tuple(int(axis) for axis in np.argsort(order)))
        return (mul(dy, back),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return 0 not in self.axes

    def lower(self, node: Node) -> list[Call]:
        x = node.inputs[0]
        return [Call("prod_backward", (*node.inputs, *node.outputs), around(x.shape, self.axes))]

    def flops(self, node: Node) -> float:
        return 3.0 * node.inputs[0].size


@operation("prod")
def prod(
    input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The product over the axis `dim`, over all axes if it is None; a product of nothing is 1.

    Products are in double; the gradient is right where values are 0, too.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> prod(constant(np.ones((4, 5))), 1).shape
    (4,)
    """
    x = as_tensor(input)
    check_dtype("prod", dtype)
    if dim is not None:
        check_axes(x if x.ndim else reshape(x, 1), (dim,))
    axes = axes_of(x, dim)
    run, run_axes = together(x, axes)
    shape = dropped(x.shape, axes, flag(keepdim, "keepdim"))
    return reshape(apply(Prod(run_axes), run), shape)

"""Products over an axis, or over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reduced_axes import around, axes_of, check_dtype, dropped, kept, together
from fastnn.ops.reshape import check_axes, reshape
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
class ProdGrad(Op):
    """dx = dy times the product of all other x; inputs x, dy."""

    axes: tuple[int, ...]

    @property
    def name(self) -> str:
        return "prod_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

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

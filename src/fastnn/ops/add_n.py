"""Sum of several tensors of one shape, in the order given: for gradients at a fan-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.expand import side_by_side
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class AddN(Op):
    """y = ((x1 + x2) + x3) + ..."""

    @property
    def name(self) -> str:
        return "add_n"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        if any(x != inputs[0] for x in inputs):
            raise ShapeError(f"add_n needs one shape, got {[x.shape for x in inputs]}")
        return (inputs[0],)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return [grads[0] if want else None for want in wanted]

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return side_by_side(node, of_batch)

    def lower(self, node: Node) -> list[Call]:
        d = (node.outputs[0].size, len(node.inputs))
        return [Call("add_n", (*node.inputs, node.outputs[0]), d)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return range(len(node.inputs))


def add_n(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of tensors of one shape, added in the order given."""
    return tensors[0] if len(tensors) == 1 else apply(AddN(), *tensors)

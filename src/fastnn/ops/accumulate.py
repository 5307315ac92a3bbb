"""Gradient accumulation: add a gradient to a sum that outlives the step."""

from __future__ import annotations

from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.spec import ShapeError, Spec


@dataclass(frozen=True)
class Accumulate(Op):
    """total = total + x, in the memory of `total`; inputs total, which is a buffer, and x."""

    @property
    def name(self) -> str:
        return "accumulate"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        if inputs[0] != inputs[1]:
            raise ShapeError(f"accumulate needs one shape, got {[x.shape for x in inputs]}")
        return inputs[:1]

    def view_of(self, node: Node) -> int | None:
        return 0

    def lower(self, node: Node) -> list[Call]:
        return [Call("add_n", (*node.inputs, node.outputs[0]), (node.outputs[0].size, 2))]


def accumulate(total: Tensor, x: Tensor) -> Tensor:
    """Add x to a buffer; the result is that buffer."""
    return apply(Accumulate(), total, x)

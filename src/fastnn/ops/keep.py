"""Copy a value into memory that outlives the run."""

from __future__ import annotations

from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor
from fastnn.spec import Spec


@dataclass(frozen=True)
class Keep(Op):
    """Inputs a value and memory of its spec; the output is that memory."""

    @property
    def name(self) -> str:
        return "keep"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[1:]

    def view_of(self, node: Node) -> int | None:
        return 1

    def lower(self, node: Node) -> list[Call]:
        value, memory = node.inputs[0], node.outputs[0]
        return [Call("copy", (value, memory), (1, 0, 0, memory.size, 1, 1))]


def keep(value: Tensor, memory: Tensor) -> Tensor:
    """A float32 value copied into memory."""
    return Node(Keep(), (value, memory), [memory.spec], value.node.origin).outputs[0]

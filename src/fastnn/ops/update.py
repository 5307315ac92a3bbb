"""The optimizer's step as a node: one fused pass over parameters, gradients and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Call, Node, Op, Spec, moved_bytes


@dataclass(frozen=True)
class Update(Op):
    """Inputs: hyper, then for each tensor parameter, gradient and its state, in kernel order."""

    kernel: str
    per_tensor: int
    effect: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.kernel

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return ()

    def lower(self, node: Node) -> list[Call]:
        parameters = node.inputs[1::self.per_tensor]
        sizes = tuple(parameter.size for parameter in parameters)
        return [Call(self.kernel, node.inputs, (len(sizes), *sizes))]

    def work(self, node: Node) -> Mapping[str, float]:
        gradients = node.inputs[2::self.per_tensor]  # read; all else is read and written
        return {"pass": 2 * moved_bytes(node) - sum(tensor.bytes for tensor in gradients)}

    def flops(self, node: Node) -> float:
        return 4.0 * sum(tensor.size for tensor in node.inputs[1::self.per_tensor])

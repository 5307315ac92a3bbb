"""The optimizer's step as a node: one fused pass over parameters, gradients and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastnn.graph import Call, Node, Op, Tensor, moved_bytes
from fastnn.spec import Spec


@dataclass(frozen=True)
class Update(Op):
    """Inputs: hyper, steps, perhaps carried numbers; then for each tensor parameter, gradient and
    state, in kernel order.

    places: the position of each tensor's step count in `steps`, and of what it carries. heads: the
    count of inputs before those of the tensors.
    """

    kernel: str
    places: tuple[int, ...]
    heads: int = 2
    effect: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return self.kernel

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return ()

    def lower(self, node: Node) -> list[Call]:
        sizes = tuple(parameter.size for parameter in self.parameters(node))
        return [Call(self.kernel, node.inputs, (len(sizes), *sizes, *self.places))]

    def parameters(self, node: Node) -> tuple[Tensor, ...]:
        """The parameters that the node changes."""
        return node.inputs[self.heads::self._per_tensor(node)]

    def gradients(self, node: Node) -> tuple[Tensor, ...]:
        """The gradient of each parameter."""
        return node.inputs[self.heads + 1::self._per_tensor(node)]

    def _per_tensor(self, node: Node) -> int:
        return (len(node.inputs) - self.heads) // len(self.places)

    def work(self, node: Node) -> Mapping[str, float]:
        read = sum(tensor.bytes for tensor in self.gradients(node))  # all else is also written
        return {"pass": 2 * moved_bytes(node) - read}

    def flops(self, node: Node) -> float:
        return 4.0 * sum(tensor.size for tensor in self.parameters(node))

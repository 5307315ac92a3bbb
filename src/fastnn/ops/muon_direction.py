"""What Muon makes orthogonal: the momentum of a step, or Nesterov's, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.spec import Spec


@dataclass(frozen=True)
class MuonDirection(Op):
    """y = (1-mix) g + mix m, with m as the step will leave it; inputs hyper, g and m."""

    @property
    def name(self) -> str:
        return "muon_direction"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[1:2]

    def lower(self, node: Node) -> list[Call]:
        return [Call("muon_direction", (*node.inputs, *node.outputs), (node.outputs[0].size,))]

    def flops(self, node: Node) -> float:
        return 7.0 * node.outputs[0].size


def muon_direction(hyper: Tensor, gradient: Tensor, momentum: Tensor) -> Tensor:
    """The direction of Muon's step; hyper: the numbers of its kernel."""
    return apply(MuonDirection(), hyper, gradient, momentum)

"""The gradient of what chooses values along an axis: dy put back at the places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.gather import Gather
from fastnn.ops.reduced_axes import around
from fastnn.spec import Spec


@dataclass(frozen=True)
class ScatterPlaces(Op):
    """dx = 0, then dx[.., places[.., k, ..], ..] = dy[.., k, ..] along an axis; inputs dy, places.

    The places of a column differ, so that nothing is added.
    """

    axis: int
    size: int

    @property
    def name(self) -> str:
        return "scatter_places"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        shape = inputs[0].shape
        return (Spec((*shape[:self.axis], self.size, *shape[self.axis + 1:])),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(Gather(self.axis), grads[0], node.inputs[1]), None)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return self.axis != 0

    def lower(self, node: Node) -> list[Call]:
        dx = node.outputs[0]
        d = (*around(dx.shape, (self.axis,)), node.inputs[0].shape[self.axis])
        return [Call("scatter_places", (*node.inputs, dx), d)]

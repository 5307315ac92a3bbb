"""A value under another name: the same memory, but no operation looks behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.spec import Spec


@dataclass(frozen=True)
class Alias(Op):
    """y = x, a view of x."""

    @property
    def name(self) -> str:
        return "alias"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return grads

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return True

    def view_of(self, node: Node) -> int | None:
        return 0

    def lower(self, node: Node) -> list[Call]:
        return []

    def flops(self, node: Node) -> float:
        return 0.0


def alias(x: Tensor) -> Tensor:
    """x as a value of its own, of which gradients are asked apart from those of x."""
    return apply(Alias(), x)

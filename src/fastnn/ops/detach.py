"""A value through which no gradient passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.ops.public import operation
from fastnn.spec import Spec


@dataclass(frozen=True)
class Detach(Op):
    """y = x, a view of x; the gradient ends here."""

    @property
    def name(self) -> str:
        return "detach"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return True

    def view_of(self, node: Node) -> int | None:
        return 0

    def lower(self, node: Node) -> list[Call]:
        return []

    def flops(self, node: Node) -> float:
        return 0.0


@operation("detach")
def detach(x: Any) -> Tensor:
    """x, through which no gradient passes, as torch.Tensor.detach.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> detach(constant(np.zeros((2, 3)))).shape
    (2, 3)
    """
    return apply(Detach(), x)

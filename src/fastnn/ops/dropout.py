"""Dropout: zero some values at random and scale the rest (Srivastava et al., 2014).

The mask is never stored: it is a function of (seed, step, layer, place), so that the backward pass,
a recomputation and a resumed run draw the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Call, Node, Op, Tensor, apply, as_tensor
from fastnn.ops.public import operation
from fastnn.runtime.random import new_stream, random_key
from fastnn.spec import Spec


@dataclass(frozen=True)
class Dropout(Op):
    """y = x / (1 - p) where kept, else 0; inputs x and the random key (seed, step)."""

    p: float
    stream: int

    @property
    def name(self) -> str:
        return "dropout"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(self, grads[0], node.inputs[1]), None)

    def lower(self, node: Node) -> list[Call]:
        x, key = node.inputs
        y = node.outputs[0]
        return [Call("dropout", (x, y, key), (y.size, self.stream), (self.p,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


@operation()
def dropout(x: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """x with a share p of its values zeroed at random and the others divided by 1 - p.

    Without `training` it is x itself.
    """
    p = real(p, "dropout's probability p", "a number from 0 to 1", 0, 1)
    if not flag(training, "training") or p == 0.0:
        return as_tensor(x)
    return apply(Dropout(p, new_stream()), x, random_key())

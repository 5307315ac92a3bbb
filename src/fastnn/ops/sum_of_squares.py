"""The sum of squares of many tensors at once: of all gradients, or of a batch's statistics.

It is finite if and only if all elements are. Of gradients it is the squared norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply
from fastnn.spec import Spec

DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class SumOfSquares(Op):
    """y = sum of (factor x)² over the elements of all inputs, a float64.

    factors: one for each input. The product is a float32, so the sum is infinite if it overflows.
    """

    factors: tuple[float, ...]

    @property
    def name(self) -> str:
        return "sum_of_squares"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec((), DOUBLE),)

    def lower(self, node: Node) -> list[Call]:
        sizes = (tensor.size for tensor in node.inputs)
        return [Call("sum_of_squares", (*node.inputs, *node.outputs), (len(node.inputs), *sizes),
                     self.factors)]

    def flops(self, node: Node) -> float:
        return 2.0 * sum(tensor.size for tensor in node.inputs)


def sum_of_squares(tensors: Sequence[Tensor], factors: Sequence[float] | None = None) -> Tensor:
    """The sum of the squares of all elements; factors: what each tensor is multiplied with."""
    given = tuple(factors) if factors is not None else (1.0,) * len(tensors)
    return apply(SumOfSquares(given), *tensors)

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

    factors: one for each of these. The product is a float32, so the sum is infinite if it
    overflows. kept: whether the last input is the memory of the sum, which outlives the run.
    """

    factors: tuple[float, ...]
    kept: bool = False

    @property
    def name(self) -> str:
        return "sum_of_squares"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec((), DOUBLE),)

    def view_of(self, node: Node) -> int | None:
        return len(self.factors) if self.kept else None

    def lower(self, node: Node) -> list[Call]:
        summed = self.summed(node)
        sizes = (tensor.size for tensor in summed)
        return [Call("sum_of_squares", (*summed, *node.outputs), (len(summed), *sizes),
                     self.factors)]

    def flops(self, node: Node) -> float:
        return 2.0 * sum(tensor.size for tensor in self.summed(node))

    def summed(self, node: Node) -> Sequence[Tensor]:
        """The inputs whose elements are summed."""
        return node.inputs[:len(self.factors)]


def sum_of_squares(
    tensors: Sequence[Tensor], factors: Sequence[float] | None = None, memory: Tensor | None = None
) -> Tensor:
    """The sum of the squares of all elements.

    factors: what each tensor is multiplied with. memory: a float64 buffer that becomes the sum.
    """
    given = tuple(factors) if factors is not None else (1.0,) * len(tensors)
    kept = () if memory is None else (memory,)
    return apply(SumOfSquares(given, memory is not None), *tensors, *kept)

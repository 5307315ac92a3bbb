"""RMS normalisation: each row by its root mean square."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import Call, Composed, Node, Op, Tensor, apply, apply_all, as_tensor, moved_bytes
from fastnn.ops.binary import add, mul, sub
from fastnn.ops.norm_gradient import of_rows, rows_of
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean, sum
from fastnn.ops.row_norm import check_rows, checked, over_last_axes
from fastnn.spec import Spec


@dataclass(frozen=True)
class RMSNorm(Op):
    """y = x * rstd (* weight) over runs of `size` values in memory.

    Inputs x, or x and weight, which lies in memory as a row does. Also rstd of each row.
    """

    size: int
    eps: float

    @property
    def name(self) -> str:
        return "rms_norm"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_rows(self.name, inputs[0], self.size)
        return (inputs[0], Spec((inputs[0].size // self.size,)))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, *weight = node.inputs
        return apply_all(RMSNormGrad(self.size, self.eps), grads[0], x, node.outputs[1], *weight)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:]) and math.prod(node.inputs[0].shape[1:]) % self.size == 0

    def lower(self, node: Node) -> list[Call]:
        x, *weight = node.inputs
        given: tuple[Tensor | None, ...] = tuple(weight) or (None,)
        return [Call("rms_norm_forward", (x, *given, *node.outputs),
                     (x.spec.size // self.size, self.size, len(weight)), (self.eps,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 4.0 * node.outputs[0].size


@dataclass(frozen=True)
class RMSNormGrad(Composed):
    """dx (and dweight) of RMSNorm; inputs dy, x, rstd (and weight)."""

    size: int
    eps: float

    @property
    def name(self) -> str:
        return "rms_norm_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[0], *inputs[3:])

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        dy, x, _, *weight = inputs
        values, rows = rows_of(x, self.size), rows_of(dy, self.size)
        squares = mean(FUNCTIONS["square"](values), 1, keepdim=True)
        rstd = FUNCTIONS["rsqrt"](add(squares, self.eps))
        y = mul(values, rstd)
        scaled = mul(rows, rows_of(weight[0], self.size)) if weight else rows
        dx = mul(rstd, sub(scaled, mul(y, mean(mul(scaled, y), 1, keepdim=True))))
        return (of_rows(dx, x), *(of_rows(sum(mul(rows, y), 0), w) for w in weight))

    def lower(self, node: Node) -> list[Call]:
        dy, x, rstd, *weight = node.inputs
        dx, *dweight = node.outputs
        d = (x.spec.size // self.size, self.size, len(weight))
        given: tuple[Tensor | None, ...] = tuple(weight) or (None,)
        summed: tuple[Tensor | None, ...] = tuple(dweight) or (None,)
        return [Call(self.name, (dy, x, rstd, *given, dx, *summed), d)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm gradient": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 10.0 * node.outputs[0].size


@operation()
def rms_norm(
    input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Tensor:
    """RMS normalisation over the last axes, as torch.nn.functional.rms_norm.

    y = x / sqrt(E[x^2] + eps) * weight, with E over the axes of normalized_shape, the last sizes of
    input. weight: of that shape, or None. eps None: that of float32, 1.2e-7. Returns the shape of
    input. Raises ShapeError for shapes that do not fit.

    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.

    >>> from fastnn.graph import constant
    >>> rms_norm(constant(np.ones((2, 3, 8))), (8,)).shape
    (2, 3, 8)
    """
    x = as_tensor(input)
    eps = float(np.finfo(np.float32).eps) if eps is None else real(eps, "rms_norm: eps")
    axes, (weight,) = checked("rms_norm", x, normalized_shape, weight=weight)
    op = RMSNorm(math.prod(x.shape[x.ndim - axes:]), eps)
    return over_last_axes(x, axes, () if weight is None else (weight,), partial(apply, op))

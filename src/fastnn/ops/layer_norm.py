"""Layer normalisation: mean and variance over the last axes of each row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fastnn.arguments import real
from fastnn.graph import (
    Call,
    Composed,
    Node,
    Op,
    Tensor,
    apply,
    apply_all,
    as_tensor,
    constant,
    moved_bytes,
)
from fastnn.ops.binary import mul
from fastnn.ops.norm_gradient import normed, of_rows, rows_of, through_norm
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.row_norm import check_rows, checked, over_last_axes
from fastnn.spec import Spec


@dataclass(frozen=True)
class LayerNorm(Op):
    """y = (x - mean) * rstd (* weight + bias) over runs of `size` values in memory.

    Inputs x, or x, weight, bias, which lie in memory as a row does. Also mean and rstd of each row.
    """

    size: int
    eps: float

    @property
    def name(self) -> str:
        return "layer_norm"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_rows(self.name, inputs[0], self.size)
        rows = Spec((inputs[0].size // self.size,))
        return (inputs[0], rows, rows)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, *parameters = node.inputs
        _, mean, rstd = node.outputs
        op = LayerNormGrad(self.size, self.eps)
        return apply_all(op, grads[0], x, mean, rstd, *parameters[:1])

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:]) and math.prod(node.inputs[0].shape[1:]) % self.size == 0

    def lower(self, node: Node) -> list[Call]:
        x, *parameters = node.inputs
        weight, bias = parameters or (None, None)
        return [Call("layer_norm_forward", (x, weight, bias, *node.outputs),
                     (x.spec.size // self.size, self.size, len(parameters) > 0), (self.eps,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 7.0 * node.outputs[0].size


@dataclass(frozen=True)
class LayerNormGrad(Composed):
    """dx (and dweight, dbias) of LayerNorm; inputs dy, x, mean, rstd (and weight)."""

    size: int
    eps: float

    @property
    def name(self) -> str:
        return "layer_norm_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (inputs[0], *inputs[4:] * 2)

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        dy, x, _, _, *weight = inputs
        y, rstd = normed(rows_of(x, self.size), (1,), self.eps)
        rows = rows_of(dy, self.size)
        dx = through_norm(mul(rows, rows_of(weight[0], self.size)) if weight else rows, y, rstd,
                          (1,))
        sums = [of_rows(sum(values, 0), weight[0]) for values in (mul(rows, y), rows) if weight]
        return (of_rows(dx, x), *sums)

    def lower(self, node: Node) -> list[Call]:
        dy, x, mean, rstd, *weight = node.inputs
        dx, *sums = node.outputs
        d = (x.spec.size // self.size, self.size, len(weight))
        given: tuple[Tensor | None, ...] = tuple(weight) or (None,)
        summed: tuple[Tensor | None, ...] = tuple(sums) or (None, None)
        return [Call(self.name, (dy, x, mean, rstd, *given, dx, *summed), d)]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)

    def work(self, node: Node) -> Mapping[str, float]:
        return {"norm gradient": moved_bytes(node)}

    def flops(self, node: Node) -> float:
        return 14.0 * node.outputs[0].size


@operation()
def layer_norm(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Layer normalisation over the last axes, as torch.nn.functional.layer_norm.

    y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias, with E and the biased Var over the axes of
    normalized_shape, the last sizes of input. weight, bias: of that shape, or None. Returns the
    shape of input. Raises ShapeError for shapes that do not fit.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    >>> from fastnn.graph import constant
    >>> layer_norm(constant(np.ones((2, 3, 8))), (8,)).shape
    (2, 3, 8)
    """
    x, eps = as_tensor(input), real(eps, "layer_norm: eps")
    axes, (weight, bias) = checked("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    sizes = x.shape[x.ndim - axes:]
    op = LayerNorm(math.prod(sizes), eps)
    parameters: tuple[Tensor, ...] = ()
    if weight is not None or bias is not None:
        parameters = (constant(np.ones(sizes, np.float32)) if weight is None else weight,
                      constant(np.zeros(sizes, np.float32)) if bias is None else bias)
    return over_last_axes(x, axes, parameters, partial(apply, op))

"""PReLU: a ReLU whose slope below zero is learned (He et al., 2015)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Call, Composed, Node, Op, Tensor, apply_all, as_tensor
from fastnn.ops.binary import mul
from fastnn.ops.compare import le
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum_to
from fastnn.ops.reshape import reshape
from fastnn.ops.where import where
from fastnn.spec import ShapeError, Spec, check_float


@dataclass(frozen=True)
class PReLU(Op):
    """y = x where x > 0, else weight * x; one slope, or one for each channel."""

    @property
    def name(self) -> str:
        return "prelu"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        x, weight = inputs
        check_float("prelu", x, weight)
        channels = x.shape[1] if len(x.shape) > 1 else 1
        if weight.shape not in ((1,), (channels,)):
            raise ShapeError(f"prelu: weight {weight.shape} does not fit input {x.shape}, expected "
                             f"(1,) or ({channels},)")
        return (x,)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, weight = node.inputs
        return apply_all(PReLUGrad(), x, grads[0], weight)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        x, weight = node.inputs
        return [Call("prelu_forward", (x, weight, *node.outputs), _dims(x, weight))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


@dataclass(frozen=True)
class PReLUGrad(Composed):
    """dx and dweight, from x, dy and weight in one pass."""

    @property
    def name(self) -> str:
        return "prelu_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[1:]

    def composed(self, *inputs: Tensor) -> Sequence[Tensor]:
        x, dy, weight = inputs
        below = le(x, 0.0)
        slopes = reshape(weight, *[-1] * min(1, x.ndim), *[1] * max(0, x.ndim - 2))
        dx = mul(dy, where(below, slopes, 1.0))
        return dx, sum_to(mul(dy, mul(below, x)), slopes.shape).reshape(weight.shape)

    def lower(self, node: Node) -> list[Call]:
        x, _, weight = node.inputs
        return [Call("prelu_backward", (*node.inputs, *node.outputs), _dims(x, weight))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (1,)


def _dims(x: Tensor, weight: Tensor) -> tuple[int, int, int]:
    """Outer, channels and inner sizes of x as memory holds it."""
    if weight.size == 1:
        return (1, 1, x.size)
    if x.ndim == 4:  # channels-last
        return (x.size // x.shape[1], x.shape[1], 1)
    return (x.shape[0], x.shape[1], math.prod(x.shape[2:]))


@operation("prelu")
def prelu(input: Any, weight: Any) -> Tensor:
    """y = x where x > 0, else weight * x, as torch.nn.functional.prelu.

    input: x, any shape; channels are axis 1. weight: learned slopes, (channels), or one, () or (1).
    y has the shape of x. Raises ShapeError for a weight of another shape.

    Source: He et al., "Delving deep into rectifiers", 2015.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> prelu(constant(np.ones((2, 3, 8, 8))), np.full(3, 0.25)).shape
    (2, 3, 8, 8)
    """
    slopes = as_tensor(weight)
    return apply_all(PReLU(), input, slopes if slopes.ndim else reshape(slopes, (1,)))[0]

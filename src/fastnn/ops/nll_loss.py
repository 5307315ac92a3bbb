"""The negative log-likelihood of class numbers, from log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.arguments import integer
from fastnn.graph import Call, Node, Op, Tensor, apply, apply_all
from fastnn.ops.class_loss import ClassLoss, class_weight, rows_of_classes
from fastnn.ops.public import operation
from fastnn.ops.reduction import reduction_of
from fastnn.ops.reshape import reshape
from fastnn.spec import Spec


@dataclass(frozen=True)
class NLL(ClassLoss):
    """-class weight * x at the target's class; outputs row losses, total, divisor."""

    @property
    def name(self) -> str:
        return "nll_loss"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec((inputs[1].size,)), Spec(()), Spec(()))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        x, target, weight = node.inputs
        dloss = grads[0] if self.reduction == "none" else grads[1]
        grad = NLLGrad(self, x.shape)
        return (apply(grad, target, weight, node.outputs[2], dloss), None, None)

    def lower(self, node: Node) -> list[Call]:
        return [Call("nll_forward", (*node.inputs, *node.outputs), self.dims(node.inputs[0]))]

    def flops(self, node: Node) -> float:
        return float(node.inputs[1].size)


@dataclass(frozen=True)
class NLLGrad(Op):
    """dx: one value of each row, else 0; inputs target, class weight, divisor, dloss."""

    loss: NLL
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return "nll_loss_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        target, weight = node.inputs[:2]
        rows, total, _ = apply_all(self.loss, grads[0], target, weight)
        return (None, None, None, rows if self.loss.reduction == "none" else total)

    def lower(self, node: Node) -> list[Call]:
        buffers = (*node.inputs, *node.outputs)
        return [Call("nll_backward", buffers, self.loss.dims(node.outputs[0]))]


@operation()
def nll_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """-weight[target] * input[target], from log-probabilities; a mean divides by the weights.

    input: (classes,) or (batch, classes, ...), from log_softmax. target: class numbers, () or
    (batch, ...); those that are ignore_index do not count. weight: one for each class; it gets no
    gradient. A scalar, or the target's shape with reduction="none". Raises ShapeError for others.

    >>> import numpy as np
    >>> nll_loss(np.log(np.full((4, 2), 0.5)), np.array([0, 1, 1, 0])).shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce)
    ignore_index = integer(ignore_index, "ignore_index", "an integer of 64 bits", -2**63, 2**63 - 1)
    x, rows = rows_of_classes("nll_loss", "input", input, target)
    weights = class_weight("nll_loss", weight, x.shape[1])
    losses, total, _ = apply_all(NLL(reduction, ignore_index, weight is not None), x, rows, weights)
    return reshape(losses, tuple(target.shape)) if reduction == "none" else total

"""Softmax cross-entropy from logits, with label smoothing, class weights and reductions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import integer, real
from fastnn.graph import Call, Node, Op, Tensor, apply, apply_all, as_tensor, constant
from fastnn.ops.binary import affine, mul
from fastnn.ops.class_loss import ClassLoss, class_weight, rows_of_classes
from fastnn.ops.detach import detach
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduction import reduced, reduction_of
from fastnn.ops.reshape import reshape
from fastnn.ops.softmax import SoftmaxGrad, log_softmax, softmax
from fastnn.spec import FLOAT, Spec, check_float

AT_NO_P = np.finfo(FLOAT).max  # a largest logit with which no class has a probability


@dataclass(frozen=True)
class CrossEntropy(ClassLoss):
    """-log softmax of logits at the target's class; outputs described in `infer`."""

    label_smoothing: float

    @property
    def name(self) -> str:
        return "cross_entropy"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        """Loss, largest logit and log Σ exp(logits - largest) of each row; total; divisor.

        The largest logit and the logarithm are stored separately: if the logit is large, their sum
        would round to the logit.
        """
        rows = (inputs[1].size,)
        return (Spec(rows), Spec(rows), Spec(rows), Spec(()), Spec(()))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        logits, target, weight = node.inputs
        _, largest, log_sum, _, divisor = node.outputs
        dloss = grads[0] if self.reduction == "none" else grads[3]
        inputs = (logits, target, weight, largest, log_sum, divisor, dloss)
        return (apply(CrossEntropyGrad(self), *inputs), None, None)

    def lower(self, node: Node) -> list[Call]:
        d = self.dims(node.inputs[0])
        buffers = (*node.inputs, *node.outputs)
        return [Call("cross_entropy_forward", buffers, d, (self.label_smoothing,))]

    def flops(self, node: Node) -> float:
        return 10.0 * node.inputs[0].size


@dataclass(frozen=True)
class CrossEntropyGrad(Op):
    """dlogits = (softmax(logits) - target distribution) scaled by dloss and the reduction."""

    loss: CrossEntropy

    @property
    def name(self) -> str:
        return "cross_entropy_backward"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs[:1]

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        """Of p Σ q - q, where q is the target distribution, scaled; q is -dlogits at p = 0."""
        logits, target, weight, largest, log_sum, divisor, dloss = node.inputs
        found: list[Tensor | None] = [None] * len(node.inputs)
        axis = 1  # of the classes, as ClassLoss has it
        if wanted[0]:
            infinite = constant(np.full(largest.shape, AT_NO_P, FLOAT))
            others = (target, weight, infinite, log_sum, divisor, dloss)
            q = apply(self, detach(logits), *others)
            scale = affine(sum(q, axis, keepdim=True), -1.0)
            found[0] = mul(scale, apply(SoftmaxGrad(), softmax(logits, axis), grads[0]))
        if wanted[-1]:
            unit = apply(self, *node.inputs[:-1], np.ones(dloss.shape, FLOAT))
            product = mul(grads[0], unit)
            found[-1] = reshape(sum(product, axis) if dloss.ndim else sum(product), dloss.shape)
        return found

    def lower(self, node: Node) -> list[Call]:
        d = self.loss.dims(node.inputs[0])
        buffers = (*node.inputs, *node.outputs)
        return [Call("cross_entropy_backward", buffers, d, (self.loss.label_smoothing,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


@operation()
def cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target], or -Σ target log softmax(input) for probabilities as target.

    input: logits, (classes,) or (batch, classes, ...). target: integers, () or (batch, ...), of
    which those that are ignore_index do not count; or floats of the shape of input. weight: one
    for each class; a mean over class numbers divides by their weights. label_smoothing: the share
    of the target that goes to all classes alike (Szegedy et al., "Rethinking the Inception
    architecture", 2015). A scalar, or the shape of class numbers with reduction="none". Raises
    ShapeError for others.

    >>> import numpy as np
    >>> cross_entropy(np.zeros((4, 3)), np.array([0, 1, 2, 0])).shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce)
    ignore_index = integer(ignore_index, "ignore_index", "an integer of 64 bits", -2**63, 2**63 - 1)
    label_smoothing = real(label_smoothing, "label_smoothing", "a number from 0 to 1", 0, 1)
    logits, labels = as_tensor(input), as_tensor(target)
    if labels.dtype == FLOAT and labels.shape == logits.shape and logits.ndim:
        return _of_probabilities(logits, labels, weight, reduction, label_smoothing)
    x, rows = rows_of_classes("cross_entropy", "logits", logits, labels)
    weights = class_weight("cross_entropy", weight, x.shape[1])
    op = CrossEntropy(reduction, ignore_index, weight is not None, label_smoothing)
    losses, _, _, total, _ = apply_all(op, x, rows, weights)
    return reshape(losses, labels.shape) if reduction == "none" else total


def _of_probabilities(
    logits: Tensor, target: Tensor, weight: Any, reduction: str, label_smoothing: float
) -> Tensor:
    """-Σ weight target log softmax(logits); a mean is over rows, whatever they weigh."""
    check_float("cross_entropy: logits", logits.spec)
    axis = min(logits.ndim - 1, 1)
    classes = logits.shape[axis]
    if label_smoothing:
        target = affine(target, 1 - label_smoothing, label_smoothing / classes)
    losses = mul(target, log_softmax(logits, axis))
    if weight is not None:
        weights = class_weight("cross_entropy", weight, classes)
        losses = mul(losses, reshape(weights, -1, *[1] * (logits.ndim - 1 - axis)))
    losses = affine(sum(losses, axis), -1.0)
    return reduced(losses, reduction)

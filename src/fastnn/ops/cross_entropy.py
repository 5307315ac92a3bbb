"""Softmax cross-entropy from logits, with label smoothing, class weights and reductions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import choice, integer, real
from fastnn.graph import Call, ClassNumbers, Node, Op, Tensor, apply, apply_all, as_tensor, constant
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape
from fastnn.spec import INDEX, ShapeError, Spec, check_float

REDUCTIONS = ("none", "mean", "sum")


@dataclass(frozen=True)
class CrossEntropy(Op):
    """Inputs logits, target, class weight; outputs described in `infer`.

    Channels are last in memory, so a row is one pixel or one sample.
    """

    reduction: str
    ignore_index: int
    weighted: bool
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

    def dims(self, logits: Tensor) -> tuple[int, ...]:
        """The sizes that the kernels take."""
        classes = logits.shape[1]
        return (logits.size // classes, classes, REDUCTIONS.index(self.reduction),
                self.ignore_index, self.weighted)

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

    def class_numbers(self, node: Node) -> ClassNumbers:
        logits, target = node.inputs[:2]
        return ClassNumbers(target, logits.shape[1], self.ignore_index)

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

    def lower(self, node: Node) -> list[Call]:
        d = self.loss.dims(node.inputs[0])
        buffers = (*node.inputs, *node.outputs)
        return [Call("cross_entropy_backward", buffers, d, (self.loss.label_smoothing,))]

    def overwrites(self, node: Node) -> Sequence[int]:
        return (0,)


def _hint(target: tuple[int, ...], logits: tuple[int, ...]) -> str:
    """What to write if the target has another shape."""
    if target == logits:
        return (", class numbers; one-hot rows or probabilities, a number for each class, become "
                "those by y.argmax(1)")
    if target == (*logits[:1], 1, *logits[2:]):
        return "; write y[:, 0]"
    return ""


def counted(target: np.ndarray, ignore_index: int, weight: np.ndarray | None) -> float:
    """The divisor of the mean over class numbers: their count, or the sum of class weights."""
    counting = target[target != ignore_index]
    return float(counting.size if weight is None
                 else weight.take(counting, mode="clip").sum(dtype=np.float64))


@operation()
def cross_entropy(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target], arguments as torch.nn.functional.cross_entropy.

    input: (batch, classes) or (batch, classes, height, width) logits; target: integers, (batch) or
    (batch, height, width). A scalar, or the shape of target with reduction="none".
    """
    logits, target = as_tensor(input), as_tensor(target)
    choice(reduction, "reduction", REDUCTIONS)
    ignore_index = integer(ignore_index, "ignore_index", "an integer of 64 bits", -2**63, 2**63 - 1)
    label_smoothing = real(label_smoothing, "label_smoothing", "a number from 0 to 1", 0, 1)
    if logits.ndim not in (2, 4):
        raise ShapeError(f"cross_entropy: logits must be of rank 2 or 4, got {logits.shape}")
    check_float("cross_entropy: logits", logits.spec)
    expected = (logits.shape[0], *logits.shape[2:])
    if target.shape != expected:
        raise ShapeError(f"cross_entropy: target {target.shape} does not fit logits "
                         f"{logits.shape}; expected {expected}{_hint(target.shape, logits.shape)}")
    if target.dtype != INDEX:
        raise ShapeError(f"cross_entropy: target must be class numbers (integers), got "
                         f"{target.dtype}; write y.astype(np.int64)")
    class_weight = constant(np.ones(logits.shape[1], np.float32)) if weight is None else weight
    if as_tensor(class_weight).shape != (logits.shape[1],):
        raise ShapeError(f"cross_entropy: weight {as_tensor(class_weight).shape} does not fit "
                         f"{logits.shape[1]} classes")
    op = CrossEntropy(reduction, ignore_index, weight is not None, label_smoothing)
    rows, _, _, total, _ = apply_all(op, logits, target, class_weight)
    return reshape(rows, expected) if reduction == "none" else total

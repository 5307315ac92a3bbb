"""What losses of class numbers have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import ClassNumbers, Node, Op, Tensor, as_tensor, constant
from fastnn.ops.reduction import REDUCTIONS
from fastnn.ops.reshape import reshape
from fastnn.spec import INDEX, ShapeError, check_float


@dataclass(frozen=True)
class ClassLoss(Op):
    """A loss of rows of classes; inputs x, target, class weight.

    x is (rows, classes), or of rank 4: channels are last in memory, so a row is one pixel or one
    sample. target: a class number for each row, in any shape of that order.
    """

    reduction: str
    ignore_index: int
    weighted: bool

    def dims(self, x: Tensor) -> tuple[int, ...]:
        """The sizes that the kernels take."""
        classes = x.shape[1]
        return (x.size // classes, classes, REDUCTIONS.index(self.reduction),
                self.ignore_index, self.weighted)

    def class_numbers(self, node: Node) -> ClassNumbers:
        x, target = node.inputs[:2]
        return ClassNumbers(target, x.shape[1], self.ignore_index)


def rows_of_classes(name: str, word: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """x and target as a ClassLoss takes them, from (classes,) or (batch, classes, ...).

    Raises ShapeError if the target does not fit, or holds no class numbers.
    """
    x, target = as_tensor(input), as_tensor(target)
    check_float(f"{name}: {word}", x.spec)
    if not x.ndim:
        raise ShapeError(f"{name}: {word} must be (classes,) or (batch, classes, ...), got ()")
    expected = expected_target(x.shape)
    if target.shape != expected:
        raise ShapeError(f"{name}: target {target.shape} does not fit {word} {x.shape}; expected "
                         f"{expected}{_hint(name, target, x)}")
    if target.dtype != INDEX:
        raise ShapeError(f"{name}: target must be class numbers (integers), got {target.dtype}; "
                         "write y.astype(np.int64)")
    if x.ndim == 1:
        x = reshape(x, 1, -1)
    elif x.ndim not in (2, 4):  # classes become the last axis in memory
        x = reshape(x, *x.shape[:2], -1, 1)
    return x, reshape(target, -1) if target.ndim == 4 else target


def expected_target(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of class numbers for outputs (classes,) or (batch, classes, ...)."""
    return (*shape[:1], *shape[2:]) if len(shape) > 1 else ()


def _hint(name: str, target: Tensor, x: Tensor) -> str:
    """What to write if the target has another shape."""
    if target.shape == x.shape and x.ndim > 1:
        said = ", class numbers; one-hot rows become those by y.argmax(1)"
        return said + (", probabilities of all classes are floats: y.astype(np.float32)"
                       if name == "cross_entropy" else "")
    if x.ndim > 1 and target.shape == (*x.shape[:1], 1, *x.shape[2:]):
        return "; write y[:, 0]"
    return ""


def class_weight(name: str, weight: Any, classes: int) -> Tensor:
    """One weight for each class; ones for None."""
    tensor = constant(np.ones(classes, np.float32)) if weight is None else as_tensor(weight)
    check_float(f"{name}: weight", tensor.spec)
    if tensor.shape != (classes,):
        raise ShapeError(f"{name}: weight {tensor.shape} does not fit {classes} classes")
    return tensor


def counted(target: np.ndarray, ignore_index: int, weight: np.ndarray | None) -> float:
    """The divisor of the mean over class numbers: their count, or the sum of class weights."""
    counting = target[target != ignore_index]
    return float(counting.size if weight is None
                 else weight.take(counting, mode="clip").sum(dtype=np.float64))

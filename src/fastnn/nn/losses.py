"""Losses: modules of (output, target) that give a scalar."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import array_of, choice, integer, real
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer
from fastnn.ops.cross_entropy import REDUCTIONS, counted, cross_entropy
from fastnn.ops.mse_loss import mse_loss
from fastnn.spec import INDEX, Spec


class CrossEntropyLoss(Module):
    """-log softmax(output)[target] from logits, as torch.nn.CrossEntropyLoss."""

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        choice(reduction, "reduction", REDUCTIONS)
        self.weight = None if weight is None else Buffer(_class_weights(weight))
        self.ignore_index, self.reduction = integer(ignore_index, "ignore_index"), reduction
        self.label_smoothing = real(label_smoothing, "label_smoothing", "a number from 0 to 1",
                                    0, 1)

    def forward(self, output: Any, target: Any) -> Any:
        return cross_entropy(output, target, self.weight, self.ignore_index, self.reduction,
                             self.label_smoothing)

    def count(self, target: Any) -> float:
        """The divisor of the mean over a target's classes: the weight of a batch."""
        return counted(np.asarray(target), self.ignore_index,
                       None if self.weight is None else self.weight.data)

    def target_spec(self, output: Spec) -> Spec:
        """The spec of the target for an output."""
        return Spec((output.shape[0], *output.shape[2:]), INDEX)


def _class_weights(weight: Any) -> np.ndarray:
    shape = getattr(weight, "shape", None) or array_of(weight, "weight").shape
    if hasattr(weight, "__tensor__") or len(shape) != 1:
        raise ValueError(f"weight must have one number for each class, got shape {shape}; a loss "
                         "is made first and called then: nn.CrossEntropyLoss()(output, target)")
    array = array_of(weight, "weight")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"weight must have one number for each class, got dtype {array.dtype}")
    return array.astype(np.float32)


class MSELoss(Module):
    """(output - target)², averaged, as torch.nn.MSELoss."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        choice(reduction, "reduction", REDUCTIONS)
        self.reduction = reduction

    def forward(self, output: Any, target: Any) -> Any:
        return mse_loss(output, target, self.reduction)

    def count(self, target: Any) -> float:
        """The number of values that the mean is over."""
        return float(np.size(target))

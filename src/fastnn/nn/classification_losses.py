"""Losses of classes: of class numbers, of probabilities, of yes and no."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from fastnn.arguments import integer, real
from fastnn.nn.loss import _Loss, buffer_of, class_weights
from fastnn.nn.module import Module
from fastnn.ops.binary_losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from fastnn.ops.class_loss import counted, expected_target
from fastnn.ops.cross_entropy import cross_entropy
from fastnn.ops.margin_losses import multi_margin_loss, multilabel_margin_loss
from fastnn.ops.nll_loss import nll_loss
from fastnn.spec import INDEX, Spec


class NLLLoss(_Loss):
    """-weight[target] * output[target] from log-probabilities, as torch.nn.NLLLoss.

    output: (classes,) or (batch, classes, ...). target: class numbers, () or (batch, ...).

    >>> loss = NLLLoss()
    >>> round(float(loss(np.log(np.full((4, 2), 0.5)), np.array([0, 1, 1, 0]))), 4)
    0.6931
    """

    def __init__(
        self, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
        reduce: Any = None, reduction: str = "mean",
    ) -> None:
        weights = class_weights(weight, type(self).__name__)
        super().__init__(size_average, reduce, reduction)
        self.weight = weights
        self.ignore_index = integer(ignore_index, "ignore_index")

    def forward(self, output: Any, target: Any) -> Any:
        return nll_loss(output, target, self.weight, ignore_index=self.ignore_index,
                        reduction=self.reduction)

    def count(self, target: Any) -> float:
        """The divisor of the mean over a target's classes: the weight of a batch."""
        return counted(np.asarray(target), self.ignore_index,
                       None if self.weight is None else self.weight.data)

    def target_spec(self, output: Spec) -> Spec:
        """Class numbers, one for each row of classes."""
        return Spec(expected_target(output.shape), INDEX)


class CrossEntropyLoss(NLLLoss):
    """-log softmax(output)[target] from logits, as torch.nn.CrossEntropyLoss.

    target: class numbers, () or (batch, ...); or probabilities, floats of the output's shape.

    >>> loss = CrossEntropyLoss(label_smoothing=0.1)
    >>> loss(np.zeros((4, 3)), np.array([0, 1, 2, 0])).shape
    ()
    """

    def __init__(
        self, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
        reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = real(label_smoothing, "label_smoothing", "a number from 0 to 1",
                                    0, 1)

    def forward(self, output: Any, target: Any) -> Any:
        return cross_entropy(output, target, self.weight, ignore_index=self.ignore_index,
                             reduction=self.reduction, label_smoothing=self.label_smoothing)

    def count(self, target: Any) -> float:
        """The divisor of the mean: rows of probabilities, or what class numbers weigh."""
        array = np.asarray(target)
        if array.dtype.kind == "f" and array.ndim:
            return float(array.size // array.shape[min(array.ndim - 1, 1)])
        return super().count(array)


class BCELoss(_Loss):
    """-target log(output) - (1 - target) log(1 - output), as torch.nn.BCELoss.

    output, target: of one shape; weight: anything that broadcasts to it.
    """

    def __init__(
        self, weight: Any = None, size_average: Any = None, reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        weights = buffer_of(weight)
        super().__init__(size_average, reduce, reduction)
        self.weight = weights

    def forward(self, output: Any, target: Any) -> Any:
        return binary_cross_entropy(output, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(BCELoss):
    """BCELoss of sigmoid(output), accurate for all logits, as torch.nn.BCEWithLogitsLoss.

    pos_weight: what multiplies the part of targets of 1; anything that broadcasts to the output.

    >>> loss = BCEWithLogitsLoss(pos_weight=np.array([2.0, 1.0, 1.0]))
    >>> loss(np.zeros((4, 3)), np.ones((4, 3))).shape
    ()
    """

    def __init__(
        self, weight: Any = None, size_average: Any = None, reduce: Any = None,
        reduction: str = "mean", pos_weight: Any = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.pos_weight = buffer_of(pos_weight, "pos_weight")

    def forward(self, output: Any, target: Any) -> Any:
        return binary_cross_entropy_with_logits(
            output, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-target output)) for targets of -1 and 1, as torch.nn.SoftMarginLoss."""

    def forward(self, output: Any, target: Any) -> Any:
        return soft_margin_loss(output, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over classes of BCEWithLogitsLoss, as torch.nn.MultiLabelSoftMarginLoss."""

    def __init__(
        self, weight: Any = None, size_average: Any = None, reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        weights = class_weights(weight, type(self).__name__)
        super().__init__(size_average, reduce, reduction)
        self.weight = weights

    def forward(self, output: Any, target: Any) -> Any:
        return multilabel_soft_margin_loss(output, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """Σ max(0, margin - x[target] + x[j])^p / classes, as torch.nn.MultiMarginLoss.

    output: (batch, classes) or (classes,). target: class numbers, (batch,) or ().
    """

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: Any = None, size_average: Any = None,
        reduce: Any = None, reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.p, self.margin = integer(p, "p", "1 or 2", 1, 2), real(margin, "margin")
        self.weight = class_weights(weight, type(self).__name__)

    def forward(self, output: Any, target: Any) -> Any:
        return multi_margin_loss(output, target, self.p, self.margin, self.weight,
                                 reduction=self.reduction)

    def target_spec(self, output: Spec) -> Spec:
        """Class numbers, one for each row of classes."""
        return Spec(expected_target(output.shape), INDEX)


class MultiLabelMarginLoss(_Loss):
    """Σ max(0, 1 - x[t] + x[j]) / classes, as torch.nn.MultiLabelMarginLoss.

    output: (batch, classes) or (classes,). target: integers of that shape, the classes of an
    example and then -1.
    """

    def forward(self, output: Any, target: Any) -> Any:
        return multilabel_margin_loss(output, target, reduction=self.reduction)

    def target_spec(self, output: Spec) -> Spec:
        """Integers of the output's shape."""
        return Spec(output.shape, INDEX)


class CTCLoss(Module):
    """Not here: raises NotImplementedError that says what to do instead."""

    def __init__(self, *arguments: Any, **options: Any) -> NoReturn:
        raise NotImplementedError(
            "CTCLoss is not here: sequences of other lengths than their labels are not aligned. "
            "An fn.Function can compute it on arrays, forward and backward")

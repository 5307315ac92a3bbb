"""Losses of distances and of orders: of one, two or three outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.arguments import flag, real
from fastnn.nn.loss import _Loss
from fastnn.ops.ranking_losses import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from fastnn.ops.reduction import reduction_of
from fastnn.spec import Spec


class HingeEmbeddingLoss(_Loss):
    """output where the target is 1, max(0, margin - output) where -1: torch.nn.HingeEmbeddingLoss.

    output: distances.
    """

    def __init__(
        self, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = real(margin, "margin")

    def forward(self, output: Any, target: Any) -> Any:
        return hinge_embedding_loss(output, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, margin - target (output1 - output2)), as torch.nn.MarginRankingLoss.

    Called with (output1, output2, target); or with ((output1, output2), target), as the loss of a
    model that returns both.

    >>> import numpy as np
    >>> loss, a, b, y = MarginRankingLoss(), np.zeros(3), np.ones(3), np.array([1, -1, 1])
    >>> loss(a, b, y).shape, loss((a, b), y).shape
    ((), ())
    """

    joins_outputs = True

    def __init__(
        self, margin: float = 0.0, size_average: Any = None, reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = real(margin, "margin")

    def forward(self, output1: Any, output2: Any, target: Any = None) -> Any:
        outputs = _both(type(self).__name__, output1, output2, target)
        return margin_ranking_loss(*outputs, self.margin, reduction=self.reduction)

    def target_spec(self, output: tuple[Spec, ...]) -> Spec:  # type: ignore[override]
        """Floats of the outputs' shape."""
        return output[0]


class CosineEmbeddingLoss(MarginRankingLoss):
    """1 - cos where the target is 1, max(0, cos - margin) where -1: torch.nn.CosineEmbeddingLoss.

    Called with (output1, output2, target); or with ((output1, output2), target), as the loss of a
    model that returns both. Outputs: (batch, features); target: (batch,).
    """

    def forward(self, output1: Any, output2: Any, target: Any = None) -> Any:
        outputs = _both(type(self).__name__, output1, output2, target)
        return cosine_embedding_loss(*outputs, self.margin, reduction=self.reduction)

    def target_spec(self, output: tuple[Spec, ...]) -> Spec:  # type: ignore[override]
        """Floats of the outputs' shape without features."""
        return Spec(output[0].shape[:-1])


def _both(name: str, output1: Any, output2: Any, target: Any) -> tuple[Any, Any, Any]:
    """(output1, output2, target) of either way to call a loss of two outputs."""
    if target is not None:
        return output1, output2, target
    if not isinstance(output1, (tuple, list)) or len(output1) != 2:
        raise TypeError(f"{name} takes (output1, output2, target) or ((output1, output2), target): "
                        "the model returns two outputs")
    return (*output1, output2)


class TripletMarginWithDistanceLoss(_Loss):
    """TripletMarginLoss with a distance of one's own: torch.nn.TripletMarginWithDistanceLoss.

    distance_function: of two tensors; by default the length of their difference along the last
    axis.
    """

    joins_outputs = True

    def __init__(
        self, *, distance_function: Callable[[Any, Any], Any] | None = None, margin: float = 1.0,
        swap: bool = False, reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.margin = real(margin, "margin", "a number above 0", above=0)
        self.swap, self.distance_function = flag(swap, "swap"), distance_function

    def forward(self, anchor: Any, positive: Any, negative: Any = None) -> Any:
        if negative is None:
            if not isinstance(anchor, (tuple, list)) or len(anchor) != 3:
                raise TypeError(
                    f"{type(self).__name__} takes (anchor, positive, negative) or ((anchor, "
                    "positive, negative), target): the model returns three outputs")
            anchor, positive, negative = anchor
        return self._loss(anchor, positive, negative)

    def _loss(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function,
            margin=self.margin, swap=self.swap, reduction=self.reduction)

    def count(self, target: Any) -> float:
        """The number of examples."""
        return float(len(target))

    def target_spec(self, output: tuple[Spec, ...]) -> Spec:  # type: ignore[override]
        """One number for each example, which is not read."""
        return Spec(output[0].shape[:1])


class TripletMarginLoss(TripletMarginWithDistanceLoss):
    """max(0, margin + |anchor - positive| - |anchor - negative|), as torch.nn.TripletMarginLoss.

    Called with (anchor, positive, negative); or with ((anchor, positive, negative), target), as the
    loss of a model that returns them: the target is then not read.

    >>> import numpy as np
    >>> TripletMarginLoss(margin=0.5)(*np.ones((3, 4, 8))).shape
    ()
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
        size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    ) -> None:
        reduction = reduction_of(reduction, size_average, reduce)
        super().__init__(margin=margin, swap=swap, reduction=reduction)
        self.p = real(p, "p", "a finite number above 0", above=0)
        self.eps = real(eps, "eps", "a number from 0 on", 0)

    def _loss(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return triplet_margin_loss(anchor, positive, negative, self.margin, self.p, self.eps,
                                   self.swap, reduction=self.reduction)

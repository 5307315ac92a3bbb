"""What a loss gets as target: y alone, or, once examples or classes have weights, (y, weights)."""

from __future__ import annotations

from typing import Any

from fastnn.spec import FLOAT, Spec
from fastnn.training.example_weights import ClassWeights, together
from fastnn.training.streams import Batch
from fastnn.training.weighed_loss import WeighedLoss


class Targets:
    """The targets of batches (x, y) or (x, y, weights) for one loss.

    `classes`: weights of classes, for all batches; they may be set.
    """

    def __init__(self, loss: Any) -> None:
        self._loss = loss
        self._weighed: WeighedLoss | None = None
        self.classes: ClassWeights | None = None

    def are_weighed(self, batch: Batch) -> bool:
        """Whether a batch, or the specs of one, is weighed."""
        return len(batch) == 3 or self.classes is not None

    def loss(self, batch: Batch) -> Any:
        """The loss for a batch: of its target alone, or of (y, weights).

        Raises TypeError for a loss that cannot be weighed.
        """
        return self.weighed if self.are_weighed(batch) else self._loss

    @property
    def weighed(self) -> WeighedLoss:
        """The loss of (y, weights)."""
        if self._weighed is None:
            self._weighed = WeighedLoss(self._loss)
        return self._weighed

    def of(self, batch: Batch) -> tuple[Any, float | None]:
        """((y, weights) of a weighed batch, the divisor of its loss); see `WeighedLoss`."""
        y = batch[1]
        weights = together(y, batch[2] if len(batch) == 3 else None, self.classes)
        normalized, divisor = self.weighed.normalized(y, weights)
        return (y, normalized), divisor

    def specs(self, specs: Batch) -> tuple[Any, Any]:
        """Specs of what a step takes, from the specs of a batch."""
        x, y, *weights = specs
        if not self.are_weighed(specs):
            return x, y
        shape = weights[0].shape if self.classes is None else y.shape
        return x, (y, Spec(shape, FLOAT))


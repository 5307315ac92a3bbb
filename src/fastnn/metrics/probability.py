"""How good predicted probabilities are: the margin, the negative log-likelihood, Brier's score."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import flag
from fastnn.metrics.chances import Chances, chances_of
from fastnn.metrics.classes import kind_of
from fastnn.metrics.metric import Metric, count, total


class _OfChances(Metric):
    """The mean over targets of a figure of the probabilities."""

    initial: ClassVar[dict[str, Any]] = {"sum": 0.0, "weight": 0.0}
    figure: ClassVar[str]
    sum: float
    weight: float

    def __init__(self, from_logits: bool = True, name: str | None = None) -> None:
        self.from_logits = flag(from_logits, "from_logits")
        super().__init__(name or self.figure)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind_of(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        batch = chances_of(self.name, output, target, weight, self.from_logits)
        self.sum += total(self.of(batch), batch.weight)
        self.weight += count(batch.actual.shape, batch.weight)

    def of(self, batch: Chances) -> np.ndarray:
        """What is averaged."""
        raise NotImplementedError

    def value(self) -> float | None:
        return self.sum / self.weight if self.weight else None


class Margin(_OfChances):
    """The mean of p(right class) - max p(other class), from -1 to 1.

    An example is classified rightly if its margin is above 0, however little: so accuracy can rise
    while the loss hardly moves, and this shows it. output: (n, classes, ...), or one for each
    target of 0 or 1. target: class numbers, or shares, whose largest counts. from_logits: whether
    outputs become probabilities by softmax (or a sigmoid).

    Raises ValueError for other targets.

    >>> margin = Margin(from_logits=False)
    >>> margin.update(np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.3]]), np.array([0, 2]))
    >>> round(margin.value(), 4)
    0.05
    """

    figure = "margin"

    def of(self, batch: Chances) -> np.ndarray:
        return batch.margins()


class NegativeLogLikelihood(_OfChances):
    """The mean of -log p(right class), whatever loss the model is trained with.

    With shares as targets, -Σ share log p. Other arguments as of `Margin`; of probabilities those
    below the precision of their type count as that precision, as in scikit-learn's log_loss.

    >>> nll = NegativeLogLikelihood(from_logits=False)
    >>> nll.update(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1]))
    >>> round(nll.value(), 4)
    0.4904
    """

    figure = "nll"

    def of(self, batch: Chances) -> np.ndarray:
        return np.asarray(-(batch.shares * batch.log_chances).sum(axis=1))


class Brier(_OfChances):
    """The mean of Σ (p - target)² over the classes, halved for two classes.

    From 0 to 2, and to 1 for two classes, as scikit-learn's brier_score_loss. Smaller is better; it
    rewards both accuracy and calibration, and no single error can make it infinite. Arguments as of
    `Margin`. Source: Brier, "Verification of forecasts expressed in terms of probability" (1950).

    >>> brier = Brier(from_logits=False)
    >>> brier.update(np.array([0.8, 0.4]), np.array([1, 0]))
    >>> round(brier.value(), 4)
    0.1
    """

    figure = "brier"

    def of(self, batch: Chances) -> np.ndarray:
        scale = 0.5 if batch.shares.shape[1] == 2 else 1.0
        return np.asarray(
            scale * ((np.exp(batch.log_chances) - batch.shares) ** 2).sum(axis=1))


def margins(output: Any, target: Any, from_logits: bool = True) -> np.ndarray:
    """p(right class) - max p(other class) of each example; see `Margin`.

    >>> margins(np.array([[0.5, 0.3, 0.2]]), np.array([1]), from_logits=False).round(4)
    array([-0.2])
    """
    batch = chances_of("margins", output, target, None, flag(from_logits, "from_logits"))
    return batch.margins()

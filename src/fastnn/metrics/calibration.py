"""Calibration: whether a model is right as often as it says."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import choice, flag, integer
from fastnn.metrics.chances import chances_of
from fastnn.metrics.classes import kind_of
from fastnn.metrics.metric import Metric
from fastnn.picture import COLORS, GRID, INK, new_figure, plain, save


class Reliability(Metric):
    """Confidence and accuracy of predictions, in bins of equal width by confidence.

    Of a prediction the confidence is the largest probability. A model is calibrated if of those
    that it makes with a confidence of 80% it gets 80% right. The value is an array (bins, 3): mean
    confidence, accuracy, and the share of predictions, of each bin; NaN for the first two where
    nothing lies. Bin i holds confidences in (i / bins, (i + 1) / bins].

    output, target, from_logits: as of `Margin`. Raises ValueError for other targets.

    >>> reliability = Reliability(bins=2, from_logits=False)
    >>> reliability.update(np.array([[0.9, 0.1], [0.7, 0.3]]), np.array([0, 1]))
    >>> reliability.value()[1]
    array([0.8, 0.5, 1. ])
    """

    # Of each bin: confidences, right predictions and weights; an array (bins, 3).
    initial: ClassVar[dict[str, Any]] = {"sums": None}
    sums: np.ndarray | None

    def __init__(
        self, bins: int = 15, from_logits: bool = True, name: str = "reliability"
    ) -> None:
        self.bins = integer(bins, "bins", "an integer from 1 on", 1)
        self.from_logits = flag(from_logits, "from_logits")
        super().__init__(name)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind_of(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        batch = chances_of(self.name, output, target, weight, self.from_logits)
        weights = np.ones(len(batch.actual)) if batch.weight is None else batch.weight
        confidence = np.exp(batch.log_chances.max(axis=1, initial=-np.inf))
        right = batch.log_chances.argmax(axis=1) == batch.actual
        bins = np.clip(np.ceil(confidence * self.bins).astype(np.int64) - 1, 0, self.bins - 1)
        found = np.stack([np.bincount(bins, weights * each, self.bins)
                          for each in (confidence, right, 1.0)], axis=1)
        self.sums = found if self.sums is None else self.sums + found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        sums = state.get("sums")
        if sums is not None and np.shape(sums) != (self.bins, 3):
            raise ValueError(f"{self.name}: sums of shape {np.shape(sums)}, expected "
                             f"({self.bins}, 3)")
        super().load_state_dict(state)

    def value(self) -> Any:
        if self.sums is None or not self.sums[:, 2].any():
            return None
        weights = self.sums[:, 2]
        means = np.divide(self.sums[:, :2], weights[:, None], where=weights[:, None] != 0,
                          out=np.full((self.bins, 2), np.nan))
        return np.column_stack([means, weights / weights.sum()])

    def plot(self, path: str | None = None, axes: Any = None) -> Any:
        """Draw the reliability diagram; returns matplotlib's figure.

        Bars: accuracy by confidence, above the diagonal where the model is too modest, below it
        where it is too sure; beneath, the share of predictions in each bin. path: also write it
        there (.png, .svg, .pdf). axes: draw in these, or in a new figure.

        Raises ImportError without matplotlib, ValueError if nothing was counted.
        """
        found = self.value_of_bins()
        figure = new_figure(4.2, 4.0) if axes is None else axes.figure
        axes = figure.add_subplot() if axes is None else axes
        plain(axes)
        edges = np.arange(self.bins) / self.bins
        width = 1 / self.bins
        axes.bar(edges, np.nan_to_num(found[:, 1]), width, align="edge", color=COLORS[0],
                 edgecolor="white", label="accuracy")
        axes.bar(edges, -0.25 * found[:, 2], width, align="edge", color=GRID, edgecolor=INK,
                 linewidth=0.5, label="share of predictions / 4, downwards")
        axes.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1, label="calibrated")
        axes.axhline(0, color=INK, linewidth=0.8)
        error = expected_error(found)
        axes.set(xlim=(0, 1), ylim=(-0.27, 1.02), xlabel="confidence", ylabel="accuracy",
                 title=f"expected calibration error {error:.3f}")
        axes.set_yticks(np.arange(0, 1.01, 0.2))
        axes.legend(fontsize=8, loc="upper left", frameon=False)
        if path is not None:
            save(figure, path)
        return figure

    def value_of_bins(self) -> np.ndarray:
        """The array of all bins; ValueError if nothing was counted."""
        found = Reliability.value(self)
        if found is None:
            raise ValueError(f"{self.name}: nothing was counted; call update first")
        return np.asarray(found)


def expected_error(bins: np.ndarray, norm: str = "l1") -> float:
    """Σ share |accuracy - confidence| over an array (bins, 3) of `Reliability`, or the largest."""
    gaps = np.abs(np.nan_to_num(bins[:, 1] - bins[:, 0]))
    return float(gaps.max() if norm == "max" else (gaps * bins[:, 2]).sum())


class CalibrationError(Reliability):
    """The expected calibration error: Σ_b share_b |accuracy_b - confidence_b|, from 0 to 1.

    Over bins b of equal width by confidence, see `Reliability`, which also draws it: `plot`. norm:
    "l1", or "max" for the largest of the differences. It depends on `bins`, and of few examples it
    is too large: noise counts as an error. A model that always says the classes' shares is
    calibrated, and useless: read it beside accuracy, or take `Brier`.

    Sources: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning" (2015); Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks"
    (2017), whose 15 bins are the default.

    >>> error = CalibrationError(from_logits=False)
    >>> error.update(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]))
    >>> round(error.value(), 4)
    0.4
    """

    def __init__(
        self, bins: int = 15, norm: str = "l1", from_logits: bool = True, name: str = "ece"
    ) -> None:
        self.norm = choice(norm, "norm", ("l1", "max"))
        super().__init__(bins, from_logits, name)

    def value(self) -> float | None:
        bins = super().value()
        return None if bins is None else expected_error(bins, self.norm)


def reliability(
    output: Any, target: Any, weight: Any = None, bins: int = 15, from_logits: bool = True
) -> Reliability:
    """The `Reliability` of outputs and targets, to be read by `value()` or drawn by `plot()`.

    >>> found = reliability(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([0, 0]), bins=10)
    >>> found.value()[9].round(3)
    array([0.953, 0.   , 0.5  ])
    """
    made = Reliability(bins, from_logits)
    made.update(output, target, weight)
    return made

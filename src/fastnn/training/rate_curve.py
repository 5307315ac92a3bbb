"""The losses of a trial of learning rates, and the rate that they suggest."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.picture import COLORS, new_figure, plain

WIDTH = 0.02  # of the Gaussian that smooths the losses, of all steps
SAFE = 10.0  # how far below the rate of the least loss the suggestion stays


class RateCurve:
    """What `fn.find_lr` found; `str` gives a text, `plot()` a picture.

    lrs, losses: of each step; the last loss is infinite if it was not finite. diverged: whether the
    trial ended early. smoothed: the losses averaged over their neighbours by a Gaussian, which
    unlike a running mean is not late.
    """

    def __init__(self, lrs: np.ndarray, losses: np.ndarray, diverged: bool) -> None:
        self.lrs, self.losses, self.diverged = lrs, losses, diverged
        self.smoothed = _smoothed(losses)

    @property
    def minimum(self) -> float:
        """The rate at the least smoothed loss: the edge beyond which training falls apart."""
        return float(self.lrs[np.nanargmin(self.smoothed)])

    @property
    def steepest(self) -> float:
        """The rate at which the smoothed loss falls fastest over the logarithm of the rate."""
        self._check()
        slopes = np.gradient(self.smoothed, np.log(self.lrs))
        return float(self.lrs[np.nanargmin(np.where(self.lrs <= self.minimum, slopes, np.nan))])

    @property
    def suggestion(self) -> float:
        """A tenth of `minimum`, or `steepest` if that is less. Raises ValueError if none is found.
        """
        self._check()
        return min(self.minimum / SAFE, self.steepest)

    def _check(self) -> None:
        known = self.smoothed[np.isfinite(self.smoothed)]
        start = known[:max(1, len(known) // 10)].mean()
        if len(known) < 5 or not known.min() < start - 0.02 * abs(start):
            raise ValueError(
                f"no rate from {self.lrs[0]:.3g} to {self.lrs[-1]:.3g} made the loss fall: "
                f"{'begin with a smaller min_lr' if self.diverged else 'try a larger max_lr'}, "
                "or make more steps")

    def __str__(self) -> str:
        end = ", where it diverged" if self.diverged else ""
        if np.nanargmin(self.smoothed) == len(self.lrs) - 1:
            end = "; the loss falls to the end: try a larger max_lr"
        tried = (f"{len(self.lrs)} steps, rates from {self.lrs[0]:.3g} to {self.lrs[-1]:.3g}{end}"
                 f"\nleast loss {np.nanmin(self.smoothed):.4g} at {self.minimum:.3g}")
        try:
            return f"{tried}; steepest at {self.steepest:.3g}\nsuggestion: {self.suggestion:.3g}"
        except ValueError as error:
            return f"{tried}\nno suggestion: {error}"

    def plot(self) -> Any:
        """A matplotlib figure: the loss over the rate, and the suggestion.

        Raises ImportError that says how to install matplotlib.
        """
        figure = new_figure(6.4, 3.8)
        axes = figure.subplots()
        plain(axes)
        finite = np.isfinite(self.losses)
        axes.semilogx(self.lrs[finite], self.losses[finite], ".", color=COLORS[5], markersize=3,
                      label="loss of each batch")
        axes.semilogx(self.lrs, self.smoothed, color=COLORS[0], label="smoothed")
        try:
            axes.axvline(self.suggestion, color=COLORS[1], linestyle="--",
                         label=f"suggestion {self.suggestion:.2g}")
        except ValueError:
            axes.set_title("no rate made the loss fall")
        low, high = np.nanmin(self.smoothed), np.nanmax(self.smoothed[:len(self.lrs) // 2 + 1])
        axes.set(xlabel="learning rate", ylabel="loss", ylim=(
            low - 0.1 * (high - low), high + 0.6 * (high - low) + 1e-12))
        axes.legend(frameon=False)
        return figure


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """A mean with Gaussian weights over the steps around each; what is not finite has none."""
    finite = np.isfinite(losses)
    steps = np.arange(len(losses))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / max(1.0, WIDTH * len(losses))) ** 2)
    weights = weights * finite
    found = weights @ np.where(finite, losses, 0.0) / np.maximum(weights.sum(axis=1), 1e-30)
    return np.where(finite, found, np.nan)

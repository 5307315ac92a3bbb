"""Temperature scaling: one number by which a model becomes less, or more, sure of itself."""

from __future__ import annotations

import math
import warnings

import numpy as np

from fastnn.metrics.chances import log_softmax

HOTTEST, COLDEST = 100.0, 0.01


def best_temperature(scores: np.ndarray, classes: np.ndarray) -> float:
    """The T for which softmax(scores / T) makes the classes most likely.

    scores: (n, classes), logits or logarithms of probabilities. classes: numbers (n,). The negative
    log-likelihood is convex in 1 / T, so that the zero of its slope is its minimum; T is from 0.01
    to 100, and a warning says so where that is the end.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).

    >>> scores = np.array([[4.0, 0.0]] * 4)
    >>> round(best_temperature(scores, np.array([0, 0, 0, 1])), 4)  # a logit of 4 means 3 of 4
    3.641
    """
    from scipy.optimize import brentq

    scores = scores.astype(np.float64)
    right = scores[np.arange(len(classes)), classes].mean()

    def slope(log_inverse: float) -> float:
        """Of the negative log-likelihood by 1 / T."""
        chances = np.exp(log_softmax(scores * math.exp(log_inverse)))
        return float((chances * scores).sum(axis=1).mean() - right)

    least, most = -math.log(HOTTEST), -math.log(COLDEST)
    for end, is_end, why in ((least, slope(least) >= 0, "the scores say nothing about the classes"),
                             (most, slope(most) <= 0, "all examples are classified right")):
        if is_end:
            warnings.warn(f"calibrate: {why}, so that the temperature ends at its limit, "
                          f"{math.exp(-end):g}; take other or more examples", stacklevel=4)
            return math.exp(-end)
    return math.exp(-brentq(slope, least, most, xtol=1e-12))

"""Metrics of real targets."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import flag
from fastnn.metrics.metric import Metric, count, spread, total


def check_alike(name: str, output: tuple[int, ...], target: np.ndarray) -> None:
    """Raise ValueError unless there is one output for each target."""
    if output not in (target.shape, (*target.shape, 1)):
        raise ValueError(f"{name} needs one output for each target, got outputs {output} and "
                         f"targets {target.shape}")


class _Errors(Metric):
    """The mean over targets of a function of output - target."""

    initial: ClassVar[dict[str, Any]] = {"sum": 0.0, "weight": 0.0}
    sum: float
    weight: float

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        check_alike(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        self.check(output.shape, target)
        errors = np.subtract(output.reshape(target.shape), target, dtype=np.float64)
        weights = None if weight is None else spread(weight, target.shape, self.name)
        self.sum += total(self.of(errors), weights)
        self.weight += count(target.shape, weights)

    def of(self, errors: np.ndarray) -> Any:
        """What is averaged; the errors may change."""
        raise NotImplementedError

    def value(self) -> float | None:
        return self.sum / self.weight if self.weight else None


class MeanAbsoluteError(_Errors):
    """The mean of |output - target|.

    >>> error = MeanAbsoluteError()
    >>> error.update(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    >>> error.value()
    1.0
    """

    def __init__(self, name: str = "mae") -> None:
        super().__init__(name)

    def of(self, errors: np.ndarray) -> Any:
        return np.abs(errors, out=errors)


class MeanSquaredError(_Errors):
    """The mean of (output - target)², or its square root with squared=False, over all outputs.

    >>> error = MeanSquaredError(squared=False)
    >>> error.update(np.array([1.0, 4.0]), np.array([1.0, 1.0]))
    >>> error.name, round(error.value(), 4)
    ('rmse', 2.1213)
    """

    def __init__(self, squared: bool = True, name: str | None = None) -> None:
        self.squared = flag(squared, "squared")
        super().__init__(name or ("mse" if self.squared else "rmse"))

    def of(self, errors: np.ndarray) -> Any:
        return np.square(errors, out=errors)

    def value(self) -> float | None:
        mean = super().value()
        return mean if mean is None or self.squared else float(np.sqrt(mean))


class R2(Metric):
    """1 - Σ (output - target)² / Σ (target - mean target)², the mean over several outputs.

    As scikit-learn's r2_score; of equal targets it is 1 if they are met and 0 if not. The mean
    and the sum of squares of batches are merged, which loses no digits.

    Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983).

    >>> r2 = R2()
    >>> r2.update(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    >>> r2.value()
    0.5
    """

    initial: ClassVar[dict[str, Any]] = {"weight": None, "mean": None, "squares": None,
                                         "errors": None}
    weight: np.ndarray | None
    mean: np.ndarray
    squares: np.ndarray
    errors: np.ndarray

    def __init__(self, name: str = "r2") -> None:
        super().__init__(name)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        check_alike(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        self.check(output.shape, target)
        weights = np.ones(target.shape) if weight is None else spread(
            weight, target.shape, self.name).astype(np.float64)
        y, found, weights = (each.reshape(len(target), -1).astype(np.float64)
                             for each in (target, output, weights))
        sums = weights.sum(axis=0)
        mean = np.divide((weights * y).sum(axis=0), sums, out=np.zeros(len(sums)), where=sums != 0)
        squares = (weights * (y - mean) ** 2).sum(axis=0)
        errors = (weights * (y - found) ** 2).sum(axis=0)
        if self.weight is None:
            self.weight, self.mean, self.squares, self.errors = sums, mean, squares, errors
            return
        both, apart = self.weight + sums, mean - self.mean
        share = np.divide(sums, both, out=np.zeros(len(sums)), where=both != 0)
        self.squares = self.squares + squares + apart**2 * self.weight * share
        self.mean, self.weight = self.mean + apart * share, both
        self.errors = self.errors + errors

    def value(self) -> float | None:
        if self.weight is None or not self.weight.sum():
            return None
        ratios = np.divide(self.errors, self.squares, where=self.squares != 0,
                           out=np.where(self.errors == 0, 0.0, 1.0))
        return float((1 - ratios).mean())

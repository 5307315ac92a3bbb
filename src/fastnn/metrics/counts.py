"""Metrics of how often each class is predicted, and rightly: precision, recall, F1, confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import choice, real
from fastnn.metrics.classes import Labels, classes_of, kind_of, labels
from fastnn.metrics.metric import Metric

AVERAGES = ("binary", "macro", "micro", "weighted")


class _Counts(Metric):
    """A ratio of counts of each class, averaged over classes as scikit-learn does.

    average: "binary" (class 1 of 2), "macro" (the mean over the classes that occur), "micro" (over
    all predictions), "weighted" (classes weigh by their targets), or None for an array of them.
    threshold: as of Accuracy. zero_division: the value of 0 / 0.
    """

    initial: ClassVar[dict[str, Any]] = {"right": None, "predicted": None, "actual": None}
    right: np.ndarray | None
    predicted: np.ndarray | None
    actual: np.ndarray | None
    figure: ClassVar[str]

    def __init__(
        self, average: str | None = "binary", threshold: float = 0.0, zero_division: float = 0.0,
        name: str | None = None,
    ) -> None:
        self.average = average if average is None else choice(average, "average", AVERAGES)
        self.threshold = real(threshold, "threshold")
        self.zero_division = real(zero_division, "zero_division", "0 or 1", 0, 1)
        suffix = "" if average in ("binary", None) else f"_{average}"
        super().__init__(name or self.figure + suffix)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind = kind_of(self.name, output, target)
        classes = classes_of(kind, output)
        if self.average == "binary" and classes != 2:
            raise ValueError(f"{self.name}: average='binary' is for two classes, the output has "
                             f"{classes}; write {type(self).__name__}(average='macro'), or "
                             f"'{self.figure}_macro'")

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        batch = labels(self.name, output, target, weight, self.threshold)
        if self.average == "binary" and batch.classes != 2:
            self.check(np.shape(output), np.asarray(target))
        hit = batch.predicted == batch.actual
        weights = batch.weight
        counts = (_count(batch.actual[hit], None if weights is None else weights[hit], batch),
                  _count(batch.predicted, weights, batch), _count(batch.actual, weights, batch))
        for sums, found in zip(self.initial, counts, strict=True):
            before = getattr(self, sums)
            setattr(self, sums, found if before is None else before + found)

    def value(self) -> Any:
        if self.right is None or self.predicted is None or self.actual is None:
            return None
        if not self.actual.sum():
            return None
        counts = np.stack([self.right, self.predicted, self.actual]).astype(np.float64)
        if self.average == "micro":
            counts = counts.sum(axis=1, keepdims=True)
        above, below = self.ratio(*counts)
        ratios = np.divide(above, below, out=np.full(below.shape, self.zero_division),
                           where=below != 0)
        if self.average is None:
            return ratios
        if self.average == "binary":
            return float(ratios[1])
        if self.average == "weighted":
            return float((ratios * counts[2]).sum() / counts[2].sum())
        return float(ratios[(counts[1] != 0) | (counts[2] != 0)].mean())

    def ratio(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is divided by what, for each class."""
        raise NotImplementedError


def _count(numbers: np.ndarray, weight: np.ndarray | None, batch: Labels) -> np.ndarray:
    return np.bincount(numbers, weight, minlength=batch.classes)


class Precision(_Counts):
    """right / predicted: how many of those predicted to be of a class are.

    Arguments as of `F1`.

    >>> precision = Precision()
    >>> precision.update(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 1]))
    >>> precision.value()
    0.5
    """

    figure = "precision"

    def ratio(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return right, predicted


class Recall(_Counts):
    """right / actual: how many of a class are predicted to be.

    Arguments as of `F1`.

    >>> recall = Recall(average=None)
    >>> recall.update(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 1]))
    >>> recall.value()
    array([0. , 0.5])
    """

    figure = "recall"

    def ratio(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return right, actual


class F1(_Counts):
    """2 right / (predicted + actual), the harmonic mean of precision and recall.

    average: "binary" (class 1 of 2), "macro" (the mean over the classes that occur), "micro" (over
    all predictions), "weighted" (classes weigh by their targets), or None for an array of them.
    threshold: an output above it is class 1, if there is one for each target: 0 for logits, 0.5
    for probabilities. zero_division: the value of 0 / 0.

    Raises ValueError for targets that are no classes.

    >>> f1 = F1(average="macro")
    >>> f1.update(np.eye(3)[[0, 1, 1]], np.array([0, 1, 2]))
    >>> round(f1.value(), 4)
    0.5556
    """

    figure = "f1"

    def ratio(
        self, right: np.ndarray, predicted: np.ndarray, actual: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return 2 * right, predicted + actual


class ConfusionMatrix(Metric):
    """(classes, classes): how often, or by what weight, class i was predicted to be class j.

    normalize: "true", "pred" or "all" divides by the sums of rows, of columns, or of all, as
    scikit-learn; None for counts.

    >>> matrix = ConfusionMatrix()
    >>> matrix.update(np.eye(2)[[0, 1, 1]], np.array([0, 1, 0]))
    >>> matrix.value()
    array([[1, 1],
           [0, 1]])
    """

    initial: ClassVar[dict[str, Any]] = {"counts": None}
    counts: np.ndarray | None

    def __init__(
        self, normalize: str | None = None, threshold: float = 0.0, name: str = "confusion_matrix"
    ) -> None:
        self.normalize = normalize if normalize is None else choice(
            normalize, "normalize", ("true", "pred", "all"))
        self.threshold = real(threshold, "threshold")
        super().__init__(name)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind_of(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        batch = labels(self.name, output, target, weight, self.threshold)
        found = np.bincount(batch.actual * batch.classes + batch.predicted, batch.weight,
                            minlength=batch.classes**2).reshape(batch.classes, batch.classes)
        self.counts = found if self.counts is None else self.counts + found

    def value(self) -> Any:
        if self.counts is None or self.normalize is None:
            return self.counts
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        below = self.counts.sum(axis=axis, keepdims=True)
        return np.divide(self.counts, below, out=np.zeros(self.counts.shape), where=below != 0)

    def plot(
        self, names: Sequence[str] | None = None, path: str | None = None, axes: Any = None
    ) -> Any:
        """Draw the matrix; returns matplotlib's figure.

        A cell is as dark as its share of its row, so that classes of few examples show as well;
        written in it is the value. names: of the classes, else their numbers. path: also write it
        there (.png, .svg, .pdf). axes: draw in these, or in a new figure.

        Raises ImportError without matplotlib; ValueError if nothing was counted, or names are not
        one for each class.
        """
        from fastnn.metrics.confusion_picture import draw  # whoever draws nothing needs none of it

        values = self.value()
        if values is None:
            raise ValueError(f"{self.name}: nothing was counted; call update first")
        return draw(values, names, path, axes)

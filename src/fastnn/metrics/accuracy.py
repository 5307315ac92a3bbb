"""The share of right predictions: of the best class, of the k best, of one output's side."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import integer, real
from fastnn.metrics.classes import classes_of, kind_of
from fastnn.metrics.metric import Metric, count, spread, total


class _Share(Metric):
    """right / counted."""

    initial: ClassVar[dict[str, Any]] = {"right": 0, "counted": 0}
    right: float
    counted: float

    def add(self, right: np.ndarray, weight: Any) -> None:
        """Count predictions, each right or not."""
        weights = None if weight is None else spread(weight, right.shape, self.name)
        self.right += total(right, weights)
        self.counted += count(right.shape, weights)

    def value(self) -> float | None:
        return self.right / self.counted if self.counted else None


class Accuracy(_Share):
    """The share of targets whose class has the largest output: argmax(output) = target.

    output: (n, classes, ...). target: class numbers (n, ...), or shares of all classes as output,
    whose largest counts. One output for each target of 0 or 1 is class 1 above the threshold: 0 for
    logits, 0.5 for probabilities. where_defined: whether other targets are left out silently.

    Raises ValueError for other targets.

    >>> accuracy = Accuracy()
    >>> accuracy.update(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    >>> accuracy.value()
    0.5
    """

    def __init__(
        self, threshold: float = 0.0, name: str = "accuracy", where_defined: bool = False
    ) -> None:
        self.threshold, self.where_defined = real(threshold, "threshold"), where_defined
        super().__init__(name)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        if not self.where_defined:
            kind_of(self.name, output, target)

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        if self.where_defined and not _has_classes(output.shape, target):
            return
        if target.dtype.kind in "iu" and _has_classes(output.shape, target):
            return self.add(output.argmax(axis=1) == target, weight)
        if kind_of(self.name, output.shape, target) == "binary":
            return self.add((output.reshape(target.shape) > self.threshold) == target, weight)
        return self.add(output.argmax(axis=1) == target.argmax(axis=1), weight)


def _has_classes(output: tuple[int, ...], target: np.ndarray) -> bool:
    """Whether a target holds a class number for each row of several classes."""
    return (target.dtype.kind in "iu" and len(output) > 1 and output[1] > 1
            and output[:1] + output[2:] == target.shape)


class BinaryAccuracy(_Share):
    """The share of targets of 0 or 1 on whose side of a threshold the output is.

    output, target: of one shape, or an output (n, 1) for targets (n,). threshold: 0 for logits, 0.5
    for probabilities.

    >>> accuracy = BinaryAccuracy()
    >>> accuracy.update(np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([[1, 0], [0, 1]]))
    >>> accuracy.value()
    0.75
    """

    def __init__(self, threshold: float = 0.0, name: str = "binary_accuracy") -> None:
        self.threshold = real(threshold, "threshold")
        super().__init__(name)

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        if output not in (target.shape, (*target.shape, 1)):
            raise ValueError(f"{self.name} needs one output for each target, got outputs {output} "
                             f"and targets {target.shape}")
        if not ((target == 0) | (target == 1)).all():
            raise ValueError(f"{self.name} needs targets of 0 or 1, got them from {target.min()} "
                             f"to {target.max()}")

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        counts = target if weight is None else target[spread(weight, target.shape, self.name) != 0]
        self.check(output.shape, counts if counts.shape == target.shape else np.zeros(target.shape))
        self.add((output.reshape(target.shape) > self.threshold) == target, weight)


class TopK(_Share):
    """The share of targets whose class is among the k largest outputs.

    output: (n, classes, ...). target: class numbers (n, ...). Of equal outputs the first counts as
    larger, so that TopK(1) is Accuracy.

    Raises ValueError for other targets, and for fewer than k classes.

    >>> top2 = TopK(2)
    >>> top2.update(np.array([[0.1, 0.5, 0.4], [0.8, 0.1, 0.0]]), np.array([2, 2]))
    >>> top2.value()
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        self.k = integer(k, "k", "an integer from 1 on", 1)
        super().__init__(name or f"top{self.k}")

    def check(self, output: tuple[int, ...], target: np.ndarray) -> None:
        kind = kind_of(self.name, output, target)
        if kind != "numbers":
            raise ValueError(f"{self.name} needs class numbers, got targets {target.shape} of "
                             f"{target.dtype}")
        if self.k > classes_of(kind, output):
            raise ValueError(f"{self.name} needs {self.k} classes or more, the output has "
                             f"{output[1]}")

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        output, target = np.asarray(output), np.asarray(target)
        self.check(output.shape, target)
        if weight is not None:
            weight = spread(weight, target.shape, self.name)
            target = np.where(weight != 0, target, 0)
        places = target[:, None]
        own = np.take_along_axis(output, places, axis=1)
        classes = np.arange(output.shape[1]).reshape(-1, *[1] * (output.ndim - 2))
        ahead = (output > own) | ((output == own) & (classes < places))
        self.add(np.count_nonzero(ahead, axis=1) < self.k, weight)

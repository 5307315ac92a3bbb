"""Metrics of training: accuracy, and averages that a checkpoint can save and restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.arguments import array_of


def count_correct(output: Any, target: Any, ignore_index: int = -100) -> tuple[int, int] | None:
    """(right, counted) predictions, or None if accuracy is not defined.

    output: (n, classes, ...) logits or probabilities. target: (n, ...) class numbers; positions
    that are `ignore_index` do not count. Real targets, or several outputs, have no accuracy.

    >>> count_correct(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    (1, 2)
    """
    if isinstance(output, (tuple, list)) or isinstance(target, (tuple, list)):
        return None
    output, target = np.asarray(output), np.asarray(target)
    if target.dtype.kind not in "iu" or output.ndim < 2:
        return None
    if output.shape[:1] + output.shape[2:] != target.shape:
        return None
    counted = target != ignore_index
    right = (output.argmax(axis=1) == target) & counted
    return int(right.sum()), int(counted.sum())


def accuracy(output: Any, target: Any, ignore_index: int = -100) -> float:
    """The share of correct predictions: argmax over classes equals the target.

    output: (n, classes, ...). target: (n, ...) class numbers; those that are `ignore_index` do not
    count.

    Raises ValueError for real targets, shapes that do not fit, or none that counts.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    output, target = array_of(output, "output"), array_of(target, "target")
    counts = count_correct(output, target, ignore_index)
    if counts is None or counts[1] == 0:
        raise ValueError(f"accuracy needs outputs (n, classes, ...) and class numbers (n, ...), "
                         f"got {np.shape(output)} and {np.shape(target)}")
    return counts[0] / counts[1]


class Averages:
    """Loss and accuracy as if all batches so far were one; its sums can be saved.

    >>> averages = Averages()
    >>> averages.add(0.5, 3.0, 3, (2, 3))
    >>> averages.add(1.5, 1.0, 2, (1, 1))
    >>> averages.values()
    {'loss': 0.75, 'accuracy': 0.75}
    """

    def __init__(self, sums: Mapping[str, Any] | None = None) -> None:
        self.loss, self.weight, self.examples, self.right, self.counted = 0.0, 0.0, 0, 0, 0
        if sums is not None:  # earlier checkpoints have no weight: every example counted the same
            sums = {"weight": sums["examples"], **sums}
            for name, zero in vars(self).items():
                setattr(self, name, type(zero)(sums[name]))

    def add(
        self, loss: float, weight: float | None, examples: int, correct: tuple[int, int] | None
    ) -> None:
        """Count a batch: its loss, what that weighs, its size, and (right, counted) predictions.

        A loss that weighs 0 is a mean over nothing; one that weighs None is a sum.
        """
        if weight is None:
            self.loss, self.weight = self.loss + loss, 1.0
        elif weight:
            self.loss += loss * weight
            self.weight += weight
        self.examples += examples
        if correct is not None:
            self.right += correct[0]
            self.counted += correct[1]

    def values(self) -> dict[str, float]:
        """The averages that are defined."""
        result = {"loss": self.loss / self.weight} if self.weight else {}
        if self.counted:
            result["accuracy"] = self.right / self.counted
        return result

    def sums(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(vars(self))

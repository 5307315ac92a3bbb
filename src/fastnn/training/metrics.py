"""What training reports: accuracy, and averages that go on where a checkpoint left them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def count_correct(output: Any, target: Any, ignore_index: int = -100) -> tuple[int, int] | None:
    """(right, counted) predictions, or None where accuracy makes no sense.

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


def accuracy(output: Any, target: Any) -> float:
    """The share of right predictions: argmax over classes equals the target.

    output: (n, classes, ...). target: (n, ...) class numbers.

    Raises ValueError for real targets, shapes that do not fit, or none that counts.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    counts = count_correct(output, target)
    if counts is None or counts[1] == 0:
        raise ValueError(f"accuracy needs outputs (n, classes, ...) and class numbers (n, ...), "
                         f"got {np.shape(output)} and {np.shape(target)}")
    return counts[0] / counts[1]


class Averages:
    """Loss and accuracy so far, each example counting the same; its sums can be saved.

    >>> averages = Averages()
    >>> averages.add(0.5, 3, (2, 3))
    >>> averages.add(1.5, 1, (1, 1))
    >>> averages.values()
    {'loss': 0.75, 'accuracy': 0.75}
    """

    def __init__(self, sums: Mapping[str, Any] | None = None) -> None:
        self.loss, self.examples, self.right, self.counted = 0.0, 0, 0, 0
        for name in vars(self) if sums else ():
            setattr(self, name, type(getattr(self, name))(sums[name]))  # type: ignore[index]

    def add(self, loss: float, examples: int, correct: tuple[int, int] | None) -> None:
        """Count a batch: its mean loss, its size, and (right, counted) predictions."""
        self.loss += loss * examples
        self.examples += examples
        if correct is not None:
            self.right += correct[0]
            self.counted += correct[1]

    def values(self) -> dict[str, float]:
        """The averages; accuracy only where there is one."""
        result = {"loss": self.loss / self.examples} if self.examples else {}
        if self.counted:
            result["accuracy"] = self.right / self.counted
        return result

    def sums(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(vars(self))

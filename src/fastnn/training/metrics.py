"""Accuracy, and averages of training that a checkpoint can save and restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.arguments import array_of
from fastnn.metrics import Accuracy
from fastnn.training.measures import Measures, counting


def accuracy(output: Any, target: Any, ignore_index: int = -100) -> float:
    """The share of correct predictions: argmax over classes equals the target.

    output: (n, classes, ...). target: (n, ...) class numbers; those that are `ignore_index` do not
    count.

    Raises ValueError for real targets, shapes that do not fit, or none that counts.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    output, target = array_of(output, "output"), array_of(target, "target")
    found = Accuracy(where_defined=True)
    found.update(output, target, counting(target, None, ignore_index))
    value = found.value()
    if value is None:
        raise ValueError(f"accuracy needs outputs (n, classes, ...) and class numbers (n, ...), "
                         f"got {np.shape(output)} and {np.shape(target)}")
    return value


class Averages:
    """Loss and metrics as if all batches so far were one; its sums can be saved.

    >>> averages = Averages()
    >>> averages.add(0.5, 3.0, 3)
    >>> averages.add(1.5, 1.0, 2)
    >>> averages.values(), averages.examples
    ({'loss': 0.75}, 5)
    """

    def __init__(self, measures: Measures | None = None) -> None:
        self.measures = Measures([]) if measures is None else measures
        self.loss, self.weight, self.examples = 0.0, 0.0, 0

    def add(self, loss: float, weight: float | None, examples: int) -> None:
        """Count a batch: its loss, what that weighs, and its size.

        A loss that weighs 0 is a mean over nothing; one that weighs None is a sum.
        """
        if weight is None:
            self.loss, self.weight = self.loss + loss, 1.0
        elif weight:
            self.loss += loss * weight
            self.weight += weight
        self.examples += examples

    def reset(self) -> None:
        """Forget all batches."""
        self.loss, self.weight, self.examples = 0.0, 0.0, 0
        self.measures.reset()

    def values(self, *names: str) -> dict[str, Any]:
        """The loss and the values of the metrics (or of those named) that are defined."""
        loss = {"loss": self.loss / self.weight} if self.weight else {}
        return loss | self.measures.figures(*names)

    def sums(self) -> dict[str, Any]:
        """What a checkpoint keeps, beside the sums of the metrics."""
        return {"loss": self.loss, "weight": self.weight, "examples": self.examples}

    def load(self, sums: Mapping[str, Any]) -> None:
        """Take sums; those of earlier versions have accuracy, and perhaps no weight."""
        self.loss, self.examples = float(sums["loss"]), int(sums["examples"])
        self.weight = float(sums.get("weight", self.examples))
        accuracy = self.measures.named.get("accuracy")
        if accuracy is not None and "right" in sums:
            accuracy.load_state_dict({name: sums[name] for name in ("right", "counted")})

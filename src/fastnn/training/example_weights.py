"""Weights of examples and of classes, from what users give to what a loss takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.arguments import array_of, integer, real
from fastnn.data import Batches
from fastnn.metrics.metric import spread


def sample_weights(value: Any, examples: int, name: str = "sample_weight") -> np.ndarray:
    """One weight for each example; ValueError or TypeError for others.

    >>> sample_weights([1, 0.5], 2)
    array([1. , 0.5])
    """
    weights = array_of(value, name)
    if weights.dtype.kind not in "buif":
        raise TypeError(f"{name} must be numbers, got dtype {weights.dtype}")
    if weights.shape[:1] != (examples,):
        raise ValueError(f"{name} must have one weight for each of {examples} examples, got shape "
                         f"{weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(f"{name} must be finite numbers from 0 on")
    return weights if weights.dtype.kind == "f" else weights.astype(np.float64)


class ClassWeights:
    """A weight for each class.

    value: {class: weight}, where others weigh 1; an array of one for each class; or "balanced",
    examples / (classes * examples of the class), as scikit-learn. targets: of all examples, for
    "balanced"; None if they are not known. ignored: the class number that does not count.
    """

    def __init__(self, value: Any, targets: Any = None, ignored: int = -100) -> None:
        self._others: float | None = None
        self._ignored = ignored
        if isinstance(value, str):
            self._table = self._balanced(value, targets)
        elif isinstance(value, Mapping):
            self._others = 1.0
            pairs = {integer(key, "a class of class_weight", "a class number from 0 on", 0):
                     real(weight, f"class_weight[{key}]", "a number from 0 on", 0)
                     for key, weight in value.items()}
            self._table = np.ones(max(pairs, default=-1) + 1)
            self._table[list(pairs)] = list(pairs.values())
        else:
            array = array_of(value, "class_weight")
            if array.ndim != 1 or array.dtype.kind not in "iuf":
                raise TypeError("class_weight must be {class: weight}, one number for each class, "
                                f"or 'balanced', got {value!r:.60}")
            self._table = sample_weights(array, len(array), "class_weight").astype(np.float64)

    def _balanced(self, value: str, targets: Any) -> Any:
        if value != "balanced":
            raise ValueError(f"class_weight must be {{class: weight}}, an array or 'balanced', got "
                             f"{value!r}")
        if targets is None:
            raise TypeError("class_weight='balanced' needs the targets of all examples: arrays "
                            "(x, y) or Batches; for other data give {class: weight}")
        numbers = self._numbers(np.asarray(targets))
        counts = np.bincount(numbers[numbers != self._ignored])
        present = counts[counts > 0]
        return np.divide(present.sum(), len(present) * counts, out=np.zeros(len(counts)),
                         where=counts > 0)

    def _numbers(self, y: np.ndarray) -> np.ndarray:
        """Class numbers; targets of 0 and 1 may be floats."""
        if y.dtype.kind in "iub":
            return y.astype(np.int64, copy=False)
        if y.shape[1:] in ((), (1,)) and ((y == 0) | (y == 1)).all():
            return y.astype(np.int64)
        raise TypeError(f"class_weight needs class numbers, got targets {y.shape} of {y.dtype}")

    def of(self, y: Any) -> np.ndarray:
        """The weight of each target."""
        if isinstance(y, (tuple, dict)):
            raise TypeError(f"class_weight is for one target, got {len(y)}")
        numbers = self._numbers(np.asarray(y))
        counts = numbers != self._ignored
        largest = int(numbers.max(initial=0, where=counts))
        if self._others is None and largest >= len(self._table):
            raise ValueError(f"class_weight has {len(self._table)} weights, a target is of class "
                             f"{largest}")
        table = np.append(self._table, np.ones(max(largest + 1 - len(self._table), 0)))
        return np.where(counts, table.take(numbers, mode="clip"), 1.0) if len(table) else \
            np.ones(numbers.shape)


def with_weights(data: Any, weights: Any) -> Any:
    """(x, y, weights) of arrays (x, y); the data as they are without weights."""
    if weights is None:
        return data
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError("sample_weight is for arrays (x, y); other data give it as third part of "
                        "each batch, (x, y, weights)")
    return (*data, sample_weights(weights, len(data[0])))


def targets_of(data: Any) -> Any:
    """The targets of all examples of arrays or `Batches`; None if they are not known."""
    if isinstance(data, Batches):
        return data.y[data.indices]
    return data[1] if isinstance(data, tuple) and len(data) in (2, 3) else None


def together(y: Any, sample: Any, classes: ClassWeights | None) -> np.ndarray:
    """The weights of a batch for its loss, from those of its examples (or None) and classes."""
    if classes is None:
        return np.asarray(sample)
    weights = classes.of(y)
    return weights if sample is None else weights * spread(sample, weights.shape, "sample_weight")

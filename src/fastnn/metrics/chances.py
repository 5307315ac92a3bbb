"""Probabilities of classes and true classes, from outputs and targets of several kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.metrics.classes import classes_of, counted, kind_of
from fastnn.metrics.metric import spread


@dataclass(frozen=True)
class Chances:
    """A batch, all that counts.

    log_chances: (k, classes), in float64. actual: class numbers (k,). shares: (k, classes), of the
    classes, each row one 1 for a class number. weight: None or of each.
    """

    log_chances: np.ndarray
    actual: np.ndarray
    shares: np.ndarray
    weight: np.ndarray | None

    def margins(self) -> np.ndarray:
        """p(right) - max p(other), of each."""
        chances = np.exp(self.log_chances)
        right = np.take_along_axis(chances, self.actual[:, None], axis=1)[:, 0]
        np.put_along_axis(chances, self.actual[:, None], -1.0, axis=1)
        return np.asarray(right - chances.max(axis=1))


def chances_of(
    name: str, output: Any, target: Any, weight: Any, from_logits: bool
) -> Chances:
    """The probabilities of a batch, those that weigh nothing left out.

    from_logits: whether outputs become probabilities by softmax, or a sigmoid where there is one
    for each target. Raises ValueError for targets or probabilities that are none.
    """
    output, target = np.asarray(output), np.asarray(target)
    weight, target = counted(name, target, output.shape, weight)
    kind = kind_of(name, output.shape, target)
    classes = classes_of(kind, output.shape)
    if kind == "binary":
        weight = None if weight is None else spread(weight, target.shape, name)
        scores = output.astype(np.float64).reshape(-1, 1)
        scores = np.hstack([np.zeros_like(scores) if from_logits else 1 - scores, scores])
        actual = target.ravel().astype(np.int64)
    else:
        scores = np.moveaxis(output.astype(np.float64), 1, -1).reshape(-1, classes)
        places = target.shape if kind == "numbers" else target.shape[:1] + target.shape[2:]
        weight = None if weight is None else spread(weight, places, name)
        actual = (target if kind == "numbers" else target.argmax(axis=1)).ravel().astype(np.int64)
    if actual.size and not 0 <= actual.min() <= actual.max() < classes:
        raise ValueError(f"{name}: targets are from {actual.min()} to {actual.max()}, expected "
                         f"0..{classes - 1}")
    shares = np.eye(classes)[actual] if kind != "shares" else np.moveaxis(
        target.astype(np.float64), 1, -1).reshape(-1, classes)
    if weight is not None:
        weight = weight.ravel()
        counts = weight != 0
        scores, actual, shares = scores[counts], actual[counts], shares[counts]
        weight = None if weight.dtype == bool else weight[counts].astype(np.float64)
    logs = log_softmax(scores) if from_logits else _logs(name, scores, output.dtype)
    return Chances(logs, actual, shares, weight)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """log softmax along the last axis, without overflow.

    >>> np.exp(log_softmax(np.array([1000.0, 1000.0]))).tolist()
    [0.5, 0.5]
    """
    scores = scores - scores.max(axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True)))


def _logs(name: str, chances: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Logarithms of probabilities, which are at least the type's precision, as scikit-learn's."""
    if not ((chances >= 0).all() and np.allclose(chances.sum(axis=1), 1.0, atol=1e-3)):
        raise ValueError(f"{name} with from_logits=False needs probabilities of all classes, from "
                         f"0 to 1 and of sum 1, got them from {chances.min()} to {chances.max()}")
    least = np.finfo(dtype).eps if dtype.kind == "f" else np.finfo(np.float64).eps
    return np.asarray(np.log(np.maximum(chances, least)))

"""Predicted and true classes, from outputs and targets of several kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.metrics.metric import spread


@dataclass(frozen=True)
class Labels:
    """Class numbers of a batch, predicted and true, all that count; weight: None or of each."""

    predicted: np.ndarray
    actual: np.ndarray
    weight: np.ndarray | None
    classes: int


def kind_of(name: str, output: tuple[int, ...], target: np.ndarray) -> str:
    """How a target names classes: "numbers", "shares" of all classes, or "binary".

    output: the shape of outputs. "binary" is one output for each target of 0 or 1.

    Raises ValueError for a target that names no classes of such outputs.
    """
    if (output == target.shape and output[1:2] in ((), (1,))) or output == (*target.shape, 1):
        if ((target == 0) | (target == 1)).all():
            return "binary"
    elif len(output) > 1 and target.dtype.kind in "iu" and target.shape == output[:1] + output[2:]:
        return "numbers"
    elif len(output) > 1 and target.dtype.kind == "f" and target.shape == output and (
            (target >= 0).all() and np.allclose(target.sum(axis=1), 1.0, atol=1e-3)):
        return "shares"
    raise ValueError(
        f"{name} needs outputs (n, classes, ...) and class numbers (n, ...), or one output for "
        f"each target of 0 or 1; got outputs {output} and targets {target.shape} of "
        f"{target.dtype}, {_values(target)}")


def _values(target: np.ndarray) -> str:
    return f"from {target.min()} to {target.max()}" if target.size else "none"


def classes_of(kind: str, output: tuple[int, ...]) -> int:
    """The number of classes of outputs of a shape."""
    return 2 if kind == "binary" else output[1]


def labels(name: str, output: Any, target: Any, weight: Any, threshold: float) -> Labels:
    """The classes of a batch, those that weigh nothing left out.

    threshold: an output above it is class 1, where there is one output for each target.
    """
    output, target = np.asarray(output), np.asarray(target)
    weight, target = counted(name, target, output.shape, weight)
    kind = kind_of(name, output.shape, target)
    if kind == "binary":
        predicted, actual = (output.reshape(target.shape) > threshold), target
    else:
        predicted = output.argmax(axis=1)
        actual = target if kind == "numbers" else target.argmax(axis=1)
    predicted, actual = predicted.ravel(), actual.ravel().astype(np.int64, copy=False)
    if weight is not None:
        weight = spread(weight, target.shape if kind != "shares" else target.shape[:1]
                        + target.shape[2:], name).ravel()
        counts = weight != 0
        predicted, actual = predicted[counts], actual[counts]
        weight = None if weight.dtype == bool else weight[counts].astype(np.float64)
    classes = classes_of(kind, output.shape)
    if actual.size and not 0 <= actual.min() <= actual.max() < classes:
        raise ValueError(f"{name}: targets are {_values(actual)}, expected 0..{classes - 1}")
    return Labels(predicted.astype(np.int64, copy=False), actual, weight, classes)


def counted(
    name: str, target: np.ndarray, output: tuple[int, ...], weight: Any
) -> tuple[Any, np.ndarray]:
    """(weight, target) with targets that weigh nothing replaced by 0, as they may be no classes."""
    if weight is None or target.dtype.kind not in "iu":
        return weight, target
    weight = spread(weight, target.shape, name)
    return weight, np.where(weight != 0, target, 0)

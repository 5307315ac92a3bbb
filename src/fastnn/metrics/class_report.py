"""Precision, recall, F1 and support of each class, with their means: a table of a confusion matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.metrics.counts import ConfusionMatrix


@dataclass(frozen=True)
class ClassRow:
    """Figures of a class, or means over all; support: how many examples, or what they weigh."""

    name: str
    precision: float
    recall: float
    f1: float
    support: float


@dataclass(frozen=True)
class ClassReport:
    """What scikit-learn's `classification_report` says; `print` shows it as a table.

    rows: of the classes in their order. macro: the mean over classes that occur, as targets or as
    predictions. weighted: classes weigh by their support. accuracy: right predictions of all.
    0 / 0 counts as 0.
    """

    accuracy: float
    rows: tuple[ClassRow, ...]
    macro: ClassRow
    weighted: ClassRow

    def __str__(self) -> str:
        rows = (*self.rows, self.macro, self.weighted)
        wide = max(len(row.name) for row in rows)
        lines = [f"{'':{wide}}  precision  recall      f1  support"]
        for row in rows:
            lines.append(f"{row.name:{wide}}  {row.precision:9.4f}  {row.recall:6.4f}  "
                         f"{row.f1:6.4f}  {row.support:7.7g}")
        return "\n".join([*lines, f"accuracy {self.accuracy:.4f}"])


def class_report(matrix: Any, names: Sequence[str] | None = None) -> ClassReport:
    """The report of a `ConfusionMatrix`, or of its counts (classes, classes), actual by predicted.

    names: of the classes, else their numbers. Raises ValueError for what are no counts.

    >>> print(class_report(np.array([[3, 1], [0, 2]]), ["cat", "dog"]))
                  precision  recall      f1  support
    cat              1.0000  0.7500  0.8571        4
    dog              0.6667  1.0000  0.8000        2
    macro avg        0.8333  0.8750  0.8286        6
    weighted avg     0.8889  0.8333  0.8381        6
    accuracy 0.8333
    """
    counts = np.asarray(matrix.counts if isinstance(matrix, ConfusionMatrix) else matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.dtype.kind not in "iuf":
        raise ValueError(f"matrix is {counts.dtype} of shape {counts.shape}, expected counts "
                         "(classes, classes), actual by predicted")
    if not (counts >= 0).all() or not counts.sum():
        raise ValueError("matrix must hold counts from 0 on, and at least one")
    named = list(map(str, range(len(counts)) if names is None else names))
    if len(named) != len(counts):
        raise ValueError(f"names are {len(named)}, the matrix has {len(counts)} classes")
    right, actual, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    figures = np.stack([_ratio(right, predicted), _ratio(right, actual),
                        _ratio(2 * right, predicted + actual)], axis=1)
    total = float(counts.sum())
    occurs = (actual + predicted) > 0

    def row(name: str, figures: np.ndarray, support: float) -> ClassRow:
        precision, recall, f1 = map(float, figures)
        return ClassRow(name, precision, recall, f1, float(support))

    rows = tuple(map(row, named, figures, actual))
    return ClassReport(
        float(right.sum() / total), rows, row("macro avg", figures[occurs].mean(axis=0), total),
        row("weighted avg", (figures * actual[:, np.newaxis]).sum(axis=0) / total, total))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, out=np.zeros(len(above)), where=below != 0))

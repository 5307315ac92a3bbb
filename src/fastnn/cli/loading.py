"""The data of a run with what is to be learned of them: classes, labels or real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.settings import Settings
from fastnn.data import Dataset, Standardize
from fastnn.data.table import TableEncoder, check_columns, read_csv
from fastnn.data.table_target import TableTarget

TEST_SHARE = 0.2  # of the rows of a table
Part = tuple[Any, np.ndarray]


@dataclass(frozen=True)
class Loaded:
    """data: with targets as the net is trained to return them. names: of the net's outputs.

    encoder, target: of a table.
    """

    data: Dataset
    task: str
    names: tuple[str, ...]
    encoder: TableEncoder | None = None
    target: TableTarget | None = None

    def standardize(self) -> Standardize:
        """Fitted to the training examples; categories of tables stay zeros and ones."""
        fitted = Standardize().fit(self.data.train[0])
        if self.encoder is not None:
            numbers = self.encoder.are_numbers
            fitted.mean = np.where(numbers, fitted.mean, 0.0)
            fitted.std = np.where(numbers, fitted.std, 1.0)
        return fitted


def is_table(source: str) -> bool:
    """Whether data are a table, by the name of the file."""
    return Path(source).suffix.lower() == ".csv"


def of_arrays(data: Dataset, task: str | None) -> Loaded:
    """Data that are no table. Raises ValueError for targets that do not fit the task."""
    task = task or ("classification" if data.classes else "regression")
    if task == "classification":
        if not data.classes:
            raise ValueError(f"{data.source}: targets are real numbers, classification needs class "
                             "numbers (integers)")
        return Loaded(data, task, data.classes)
    if task == "regression" and data.classes:
        data = replace(data, train=_as_numbers(data.train),
                       test=None if data.test is None else _as_numbers(data.test), classes=())
    parts = [part[1] for part in (data.train, data.test) if part is not None]
    if data.classes or any(y.ndim != 2 for y in parts):
        expected = "(n, labels) of 0.0 and 1.0" if task == "multilabel" else "(n, targets)"
        raise ValueError(f"{data.source}: targets have shape {parts[0].shape} of {parts[0].dtype}, "
                         f"expected {expected}")
    if task == "multilabel" and not all(np.isin(y, (0, 1)).all() for y in parts):
        raise ValueError(f"{data.source}: labels must be 0.0 or 1.0")
    return Loaded(data, task, tuple(map(str, range(parts[0].shape[1]))))


def _as_numbers(part: Part) -> Part:
    return part[0], np.asarray(part[1], np.float32).reshape(len(part[1]), -1)


def of_table(settings: Settings, split: Any) -> Loaded:
    """A table, part of whose rows are held out to test: of each class the same share.

    split: the function (y, share, seed) that chooses them. Raises ValueError for what no net can
    use: it names the file, the column and the row.
    """
    path = Path(settings.data)
    frame = read_csv(path)
    columns = [str(name) for name in frame.columns]
    targets = listed(settings.target, columns)
    if not targets:
        raise ValueError(f"{path}: name the column to predict by --target; it has "
                         f"{', '.join(columns)[:200]}")
    ignored = listed(settings.ignore, columns)
    check_columns(frame, ignored, str(path))
    target = TableTarget.fit(frame, targets, settings.task, str(path))
    left = [name for name in columns if name not in (*targets, *ignored)]
    encoder = TableEncoder().fit(frame, left, str(path))
    kept, held_out = split(target.raw(frame, str(path)), TEST_SHARE, 0)
    if target.task == "regression":  # the test rows have no part in the scale
        target = TableTarget.fit(frame.iloc[kept], targets, target.task, str(path))
    x, y = encoder.transform(frame, str(path)), target.scaled(target.raw(frame, str(path)))
    data = Dataset((x[kept], y[kept]), (x[held_out], y[held_out]) if len(held_out) else None,
                   target.classes, str(path))
    return Loaded(data, target.task, target.classes or target.columns, encoder, target)


def listed(names: str | None, columns: Sequence[str]) -> list[str]:
    """Names with commas between them; a column's whole name is one, even with a comma in it.

    >>> listed("a, b", ["a", "b"]), listed("a, b", ["a, b"]), listed(None, [])
    (['a', 'b'], ['a, b'], [])
    """
    if names is None:
        return []
    return [names] if names in columns else [name.strip() for name in names.split(",")]

"""The columns of a table that are to be predicted: classes, labels or real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from fastnn.data.arrays import Array
from fastnn.data.table import Column, check_columns, check_present

FEW = 20  # different whole numbers up to which they are taken for classes


@dataclass(frozen=True)
class TableTarget:
    """What is predicted of a table. columns: their names. classes: of a single one, or none.

    mean, std: of real targets, by which they are standardised for training.
    """

    task: str
    columns: tuple[str, ...]
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls, frame: Any, columns: Sequence[str], task: str | None, source: str = "the table"
    ) -> Self:
        """Tell what is to be learned.

        task: "classification", "multilabel" or "regression"; None: by what the columns hold.
        Several columns of 0 and 1 are labels. One of texts, or of up to 20 different whole numbers,
        are classes; all else is numbers. Raises ValueError for columns that do not fit the task.
        """
        check_columns(frame, columns, source)
        cells = {name: list(frame[name]) for name in columns}
        if task is None:
            task = _task_of(cells)
        if task == "classification":
            if len(columns) != 1:
                raise ValueError(f"{source}: classes are in one column, got {', '.join(columns)}")
            [(name, values)] = cells.items()
            check_present(values, name, source)
            classes = _ordered(set(values))
            if len(classes) < 2:
                raise ValueError(f"{source}: column {name!r} holds one class alone, {classes[0]!r}")
            if len(classes) > max(FEW, len(values) // 2):
                raise ValueError(f"{source}: column {name!r} holds {len(classes)} classes in "
                                 f"{len(values)} rows; of real numbers the task is regression")
            return cls(task, tuple(columns), classes)
        numbers = cls(task, tuple(columns)).raw(frame, source)
        if task == "multilabel":
            return cls(task, tuple(columns))
        std = numbers.std(axis=0)
        if not std.all():
            raise ValueError(f"{source}: column {columns[int(np.argmin(std))]!r} holds one number "
                             "alone: there is nothing to learn")
        return cls(task, tuple(columns), (), tuple(map(float, numbers.mean(axis=0))),
                   tuple(map(float, std)))

    def raw(self, frame: Any, source: str = "the table") -> Array:
        """Class numbers (n,), or (n, targets) as they are. Raises ValueError naming the row."""
        check_columns(frame, self.columns, source)
        if self.task == "classification":
            return Column(self.columns[0], self.classes).places(
                list(frame[self.columns[0]]), source)
        found = np.concatenate([Column(name, None).encode(list(frame[name]), source)
                                for name in self.columns], axis=1)
        if self.task == "multilabel" and not np.isin(found, (0, 1)).all():
            row, column = np.argwhere(~np.isin(found, (0, 1)))[0]
            raise ValueError(f"{source}: column {self.columns[column]!r} holds "
                             f"{found[row, column]:g} (row {row + 1}), expected labels of 0 or 1")
        return found

    def scaled(self, raw: Array) -> Array:
        """What a net is trained to return: real targets standardised, all else as it is."""
        if self.task != "regression":
            return raw
        scaled: Array = ((raw - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        return scaled

    def unscaled(self, outputs: Array) -> Array:
        """What a net's outputs mean, in the units of the table."""
        if self.task != "regression":
            return outputs
        return np.asarray(outputs * np.array(self.std) + np.array(self.mean))


def _task_of(cells: dict[str, list[Any]]) -> str:
    if len(cells) > 1:
        labels = all(set(values) <= {"0", "1", "0.0", "1.0"} for values in cells.values())
        return "multilabel" if labels else "regression"
    [values] = cells.values()
    found = set(values)
    try:
        numbers = {float(value) for value in found if value is not None}
    except ValueError:
        return "classification"
    whole = all(number.is_integer() for number in numbers)
    return "classification" if whole and len(numbers) <= FEW else "regression"


def _ordered(classes: set[str]) -> tuple[str, ...]:
    """Sorted, as numbers if they all are."""
    try:
        return tuple(sorted(classes, key=float))
    except ValueError:
        return tuple(sorted(classes))

"""Tables of numbers and texts as examples: numbers as they are, categories one-hot."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from fastnn.data.arrays import Array
from fastnn.files.read import open_regular, reason

MOST_CATEGORIES = 100
LIKE_NUMBERS = 0.5  # the share of a column's texts that read as numbers, from which on all must


def read_csv(path: Path) -> Any:
    """A .csv file as a pandas frame, whose cells are texts, or None where one is missing.

    Missing are empty cells, and what pandas takes for missing, as NaN and NA.
    Raises ValueError that names the file; OSError; ImportError without pandas.
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError('tables need pandas: pip install "fastnn[tables]"') from error
    with open_regular(path) as stream:
        try:
            frame = pandas.read_csv(stream, dtype=str, skipinitialspace=True).astype(object)
        # pandas raises ValueError, UnicodeDecodeError, ParserError and others.
        except Exception as error:
            raise ValueError(f"{path}: cannot be read as a table ({reason(error)})") from error
    if not len(frame):
        raise ValueError(f"{path}: a table without rows")
    return frame.where(frame.notna(), None)


@dataclass(frozen=True)
class Column:
    """Of a table. categories: its texts, sorted; None for a column of numbers."""

    name: str
    categories: tuple[str, ...] | None

    @classmethod
    def of(cls, name: str, cells: Sequence[Any], source: str) -> Self:
        """What a column holds. Raises ValueError for missing cells, or a mixture."""
        check_present(cells, name, source)
        numbers = _numbers(cells)
        good = np.isfinite(numbers)
        if good.all():
            return cls(name, None)
        if good.mean() >= LIKE_NUMBERS:
            row = int(np.argmin(good))
            raise ValueError(f"{source}: column {name!r} holds {cells[row]!r:.60} (row {row + 1}) "
                             "among numbers")
        found = tuple(sorted(set(cells)))
        if len(found) > min(MOST_CATEGORIES, max(10, len(cells) // 2)):
            raise ValueError(f"{source}: column {name!r} holds {len(found)} different texts in "
                             f"{len(cells)} rows, too many for categories: leave it out (ignore)")
        return cls(name, found)

    def encode(self, cells: Sequence[Any], source: str) -> Array:
        """(n, 1) of numbers, or (n, categories) of zeros and ones, float32.

        Raises ValueError that names the row, for missing cells, texts that are no numbers, and
        categories that were not there when the column was told.
        """
        check_present(cells, self.name, source)
        if self.categories is None:
            numbers = _numbers(cells)
            if not np.isfinite(numbers.astype(np.float32)).all():
                row = int(np.argmin(np.isfinite(numbers.astype(np.float32))))
                raise ValueError(f"{source}: column {self.name!r} holds {cells[row]!r:.60} "
                                 f"(row {row + 1}), expected a number")
            return numbers.astype(np.float32)[:, np.newaxis]
        return np.eye(len(self.categories), dtype=np.float32)[self.places(cells, source)]

    def places(self, cells: Sequence[Any], source: str) -> Array:
        """The number of each cell's category, (n,)."""
        known = {text: place for place, text in enumerate(self.categories or ())}
        for row, cell in enumerate(cells):
            if cell not in known:
                close = difflib.get_close_matches(str(cell), known, 1)
                hint = f"did you mean {close[0]!r}?" if close else \
                    f"expected {', '.join(known)[:200]}"
                raise ValueError(f"{source}: column {self.name!r} holds {cell!r:.60} (row "
                                 f"{row + 1}), which was not there in training; {hint}")
        return np.array([known[cell] for cell in cells], np.int64)


class TableEncoder:
    """Columns of a table as features: `fit` tells what they hold, `transform` makes float32.

    A column whose cells are all numbers is one feature, any other one of categories: a feature of
    zeros and ones for each. Columns are found by name; others, and their order, do not matter.

    >>> import pandas
    >>> frame = pandas.DataFrame({"age": ["31", "4"], "town": ["Bonn", "Ulm"]}, dtype=object)
    >>> encoder = TableEncoder().fit(frame, ["age", "town"])
    >>> encoder.transform(frame), encoder.features
    (array([[31.,  1.,  0.],
           [ 4.,  0.,  1.]], dtype=float32), ('age', 'town=Bonn', 'town=Ulm'))
    """

    def __init__(self, columns: Sequence[Column] = ()) -> None:
        self.columns = tuple(columns)

    def fit(self, frame: Any, names: Sequence[str], source: str = "the table") -> Self:
        """Tell what the columns of these names hold. Raises ValueError for what no net can use."""
        if not names:
            raise ValueError(f"{source}: no column is left to predict from")
        self.columns = tuple(Column.of(name, list(frame[name]), source) for name in names)
        return self

    def transform(self, frame: Any, source: str = "the table") -> Array:
        """(n, features) float32. Raises ValueError that names file, column and row."""
        check_columns(frame, [column.name for column in self.columns], source)
        return np.concatenate([column.encode(list(frame[column.name]), source)
                               for column in self.columns], axis=1)

    @property
    def features(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for column in self.columns for name in (
            [column.name] if column.categories is None else
            [f"{column.name}={category}" for category in column.categories]))

    @property
    def are_numbers(self) -> Array:
        """(features,): which ones are numbers, not categories."""
        return np.array([column.categories is None for column in self.columns
                         for _ in column.categories or ("",)])

    def state(self) -> list[dict[str, Any]]:
        """What JSON holds of it."""
        return [{"name": column.name,
                 "categories": None if column.categories is None else list(column.categories)}
                for column in self.columns]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Any]]) -> Self:
        """What `state` returned. Raises KeyError, TypeError for less."""
        return cls([Column(str(each["name"]), None if each["categories"] is None else tuple(
            map(str, each["categories"]))) for each in state])


def check_columns(frame: Any, names: Sequence[str], source: str) -> None:
    """Raise ValueError for a name that is no column, with the nearest that is."""
    for name in names:
        if name not in frame.columns:
            close = difflib.get_close_matches(name, map(str, frame.columns), 1)
            hint = f"did you mean {close[0]!r}?" if close else \
                f"it has {', '.join(map(str, frame.columns))[:200]}"
            raise ValueError(f"{source}: no column {name!r}; {hint}")


def check_present(cells: Sequence[Any], name: str, source: str) -> None:
    """Raise ValueError for a column with missing cells, which are None."""
    missing = [row for row, cell in enumerate(cells) if cell is None]
    if missing:
        raise ValueError(f"{source}: column {name!r} has {len(missing)} missing values (the first "
                         f"in row {missing[0] + 1}): fill them in, or leave the rows out")


def _numbers(cells: Sequence[Any]) -> Array:
    """The cells as float64, NaN for what is no number.

    >>> _numbers(["1.5", "x", "True"])
    array([1.5, nan, nan])
    """
    def number(cell: Any) -> float:
        try:
            return float(cell)
        except (TypeError, ValueError):
            return np.nan
    return np.array([number(cell) for cell in cells])

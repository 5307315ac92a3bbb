"""Tasks and values as whole arrays, for the planner's inner loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
LEAF = -1  # what a view of a parameter or of the batch looks at


@dataclass(frozen=True)
class Rows:
    """Lists of numbers, one after another: list i is items[starts[i] : starts[i + 1]]."""

    starts: Ints
    items: Ints

    @classmethod
    def of(cls, lists: list[tuple[int, ...]]) -> Rows:
        """From one tuple for each row."""
        sizes = [len(each) for each in lists]
        items = [item for each in lists for item in each]
        return cls(np.cumsum([0, *sizes]), np.array(items, np.int64))

    def gather(self, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """(position in `rows`, position in its row, item) of all items of some rows, in order."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        owner = np.repeat(np.arange(rows.size), sizes)
        inner = np.arange(owner.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return owner, inner, self.items[self.starts[rows][owner] + inner]


class Tables:
    """Tasks and values in whole arrays: a row for each task, then one for each that runs again."""

    def __init__(
        self, tasks: Sequence[Any], sizes: Sequence[int], reserved: Sequence[int],
        results: Iterable[int], renewable: Sequence[bool],
    ) -> None:
        self.tasks = len(tasks)
        tasks = (*tasks, *(task.second for task in tasks))
        self.inputs = Rows.of([task.inputs for task in tasks])
        self.outputs = Rows.of([task.outputs for task in tasks])
        self.over = Rows.of([task.over for task in tasks])
        # Of each task: the value that its output is a view of; LEAF; or one less for neither.
        self.view = np.array([LEAF - 1 if task.view is None else task.view for task in tasks])
        self.workspace = np.array([task.workspace for task in tasks], np.int64)
        self.seconds = np.array([task.seconds for task in tasks])
        self.sizes = np.array(sizes, np.int64)
        self.reserved = np.array(reserved, np.int64)
        self.renewable = np.array(renewable, bool)
        self.results = np.zeros(len(sizes), bool)
        self.results[list(results)] = True

"""Tasks and values as arrays, for the planner's inner loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastnn.plan.recompute.flow import Flow

Ints = np.ndarray[Any, np.dtype[np.int64]]
LEAF = -1  # the source of a view of a parameter or of the batch


def _rows(lists: list[tuple[int, ...]]) -> tuple[Ints, Ints]:
    """Lists of numbers, one after another: list i is items[starts[i] : starts[i + 1]]."""
    starts = np.cumsum([0, *(len(each) for each in lists)], dtype=np.int64)
    return starts, np.array([item for each in lists for item in each], np.int64)


class Tables:
    """Tasks and values as arrays: a row for each task, then one for each as it is recomputed."""

    def __init__(
        self, tasks: Sequence[Any], sizes: Sequence[int], reserved: Sequence[int],
        results: Iterable[int], dropped: Iterable[int], recomputable: Sequence[bool],
    ) -> None:
        tasks = (*tasks, *(task.recomputed for task in tasks))
        self.sizes = np.array(sizes, np.int64)
        stays = np.zeros(len(sizes), bool)
        stays[list(results)] = True
        # Of each row: the value that its output is a view of, LEAF, or LEAF - 1 if it is no view.
        view = np.array([LEAF - 1 if task.view is None else task.view for task in tasks], np.int64)
        self.flow = Flow(
            _rows([task.inputs for task in tasks]), _rows([task.outputs for task in tasks]),
            _rows([task.over for task in tasks]), view,
            np.array([task.workspace for task in tasks], np.int64), self.sizes,
            np.array(reserved, np.int64), stays)
        self.producer = np.full(len(sizes), -1)
        for number, task in enumerate(tasks[:len(tasks) // 2]):
            self.producer[list(task.outputs)] = number
        self.seconds = np.array([task.seconds for task in tasks])
        self.spare = np.array([task.spare for task in tasks], np.int64)
        self.slower = np.array([task.slower for task in tasks])
        self.recomputable = np.array(recomputable, bool)
        self.dropped = np.zeros(len(sizes), np.uint8)
        self.dropped[list(dropped)] = 1

"""Small changes of a schedule: forget a value over a gap between its uses, or keep it again.

Each gives a new schedule in which every value is made before it is read, and no task runs again
for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.recompute.lives import Lives
from fastnn.plan.recompute.problem import Schedule
from fastnn.plan.recompute.tables import Ints


@dataclass(frozen=True)
class Gap:
    """A stretch in which a value is only held: after its step `start`, before its step `end`."""

    value: int
    start: int
    end: int


def gaps_at(lives: Lives, step: int) -> tuple[Ints, Ints, Ints]:
    """Gaps around a step, of values that may be made again: their values, starts and ends."""
    after = lives.read_at >= step
    start = lives.made.copy()
    np.maximum.at(start, lives.read[~after], lives.read_at[~after])
    end = np.full(lives.value.size, lives.steps)
    np.minimum.at(end, lives.read[after], lives.read_at[after])
    open_ = (lives.made < step) & (step < end) & (end < lives.steps)
    open_ &= lives.problem.tables.renewable[lives.value]
    return lives.value[open_], start[open_], end[open_]


def forget(lives: Lives, gap: Gap) -> Lives:
    """The lives of the schedule that makes the value again at the end of the gap.

    What that needs and is not held there is made again too.
    """
    tables = lives.problem.tables
    runs = tables.flow.missing(tables.producer, tables.renewable.view(np.uint8), lives.made,
                               lives.value, lives.last_read, gap.value, gap.end)
    order = lives.order
    return Lives(lives.problem, np.concatenate([order[:gap.end], runs, order[gap.end:]])).pruned()


def keep(lives: Lives, position: int) -> Lives:
    """The lives of the schedule without the second run of a task at a position."""
    return Lives(lives.problem, np.delete(lives.order, position)).pruned()


def again_at(schedule: Schedule) -> list[int]:
    """Positions of tasks that ran before.

    >>> again_at((0, 1, 0, 2))
    [2]
    """
    seen: set[int] = set()
    result = []
    for position, number in enumerate(schedule):
        if number in seen:
            result.append(position)
        seen.add(number)
    return result

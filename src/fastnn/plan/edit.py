"""Small changes of a schedule: forget a value over a gap between its uses, or keep it again.

Each gives a new schedule in which every value is made before it is read, and no task runs again
for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.lives import Lives
from fastnn.plan.problem import Problem, Schedule


@dataclass(frozen=True)
class Gap:
    """A stretch in which a value is only held: after its step `start`, before its step `end`."""

    value: int
    start: int
    end: int


def gaps_at(lives: Lives, step: int) -> list[Gap]:
    """Gaps around a step, of values that may be made again."""
    after = lives.read_at >= step
    start = lives.made.copy()
    np.maximum.at(start, lives.read[~after], lives.read_at[~after])
    end = np.full(lives.value.size, lives.steps)
    np.minimum.at(end, lives.read[after], lives.read_at[after])
    open_ = (lives.made < step) & (step < end) & (end < lives.steps)
    open_ &= lives.problem.tables.renewable[lives.value]
    return [Gap(int(lives.value[i]), int(start[i]), int(end[i])) for i in np.flatnonzero(open_)]


def forget(problem: Problem, schedule: Schedule, lives: Lives, gap: Gap) -> Lives:
    """The lives of the schedule that makes the value again at the end of the gap.

    What that needs and is not held there is made again too. `lives` are those of the schedule.
    """
    held = set(lives.value[(lives.made < gap.end) & (lives.last_read >= gap.end)].tolist())
    held.discard(gap.value)
    pending = [problem.producer[gap.value]]
    found: set[int] = set()
    while pending:
        number = pending.pop()
        if number in found:
            continue
        found.add(number)
        pending += [problem.producer[v] for v in problem.tasks[number].inputs
                    if v not in held and problem.renewable[v]]
    return Lives(problem, (*schedule[:gap.end], *sorted(found), *schedule[gap.end:])).pruned()


def keep(problem: Problem, schedule: Schedule, position: int) -> Lives:
    """The lives of the schedule without the second run of a task at a position."""
    return Lives(problem, (*schedule[:position], *schedule[position + 1:])).pruned()


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

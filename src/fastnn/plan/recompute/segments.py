"""Exact search, segment by segment: recomputations of a few tasks move, all others stay.

A segment is a few recomputable tasks in a row. Greedy moves (`improve`) recompute a value right
before it is read. A segment finds what takes several moves at once: recompute a value early, while
its inputs are still held, so that they can be freed; exchange two recomputations for a third. If
one segment holds all tasks, as in small nets, its result is optimal for the order of first runs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from fastnn.plan.recompute.hold_search import Course
from fastnn.plan.recompute.honour_drops import backward_start
from fastnn.plan.recompute.improve import Effort
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.problem import Problem, Schedule
from fastnn.plan.recompute.segment import Segment
from fastnn.plan.recompute.tables import Ints

WHOLE = 12  # a problem with at most so many values is one segment
SETS_A_STEP = 20  # sets of values searched in the time of one simulated step
LEAST_GAIN = 1e-9  # of the seconds of a segment's recomputations


class Segments:
    """All segments of at most `width` values; each overlaps the one before by half.

    _closed: schedules that no segment can improve, with the largest limit for which that holds.
    """

    def __init__(self, problem: Problem, width: int) -> None:
        self._problem = problem
        self._rows = [np.array(row) for row in rows_of_tasks(problem, width)]
        self._closed: dict[Schedule, int] = {}

    def tighten(self, schedule: Schedule, limit: int, effort: Effort) -> Schedule | None:
        """The schedule after every segment is as fast as possible within the limit.

        A schedule above the limit is brought below it by the first segment that can; None if
        none can.
        """
        if limit <= self._closed.get(schedule, -1):
            return schedule
        liveness = Liveness(self._problem, schedule)
        spent = _spent(liveness)
        todo = len(self._rows)  # segments since the last one that changed something
        number = 0
        while todo and effort.steps > 0:
            tasks = self._rows[number]
            number, todo = (number + 1) % len(self._rows), todo - 1
            if liveness.peak <= limit and not spent[tasks].any():
                continue
            after = _improved(liveness, tasks, limit, float(spent[tasks].sum()), effort)
            if after is not None:
                liveness, spent, todo = after, _spent(after), len(self._rows) - 1
        if liveness.peak > limit:
            return None
        if not todo:
            self._closed[liveness.schedule] = limit
        return liveness.schedule


def rows_of_tasks(problem: Problem, width: int) -> list[tuple[int, ...]]:
    """The tasks of each segment: consecutive ones, without views and what views share."""
    viewed = {task.view for task in problem.tasks}
    tasks = [number for number, task in enumerate(problem.tasks) if task.recomputable
             and task.view is None and viewed.isdisjoint(task.recomputed.outputs)]
    ends = np.cumsum([0, *(len(problem.tasks[number].recomputed.outputs) for number in tasks)])
    if ends[-1] <= WHOLE:
        return [tuple(tasks)] if tasks else []
    rows: list[tuple[int, ...]] = []
    start = 0
    while start < len(tasks):
        end = int(np.searchsorted(ends, ends[start] + width, "right")) - 1
        if end > start:
            rows.append(tuple(tasks[start:end]))
        if end >= len(tasks):
            break
        start = max(start + 1, (start + end) // 2)
    return rows


def _spent(liveness: Liveness) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of each task's recomputations."""
    tables = liveness.problem.tables
    tasks = len(liveness.problem.tasks)
    return tables.seconds[tasks:] * (np.bincount(liveness.order, minlength=tasks) - 1)


def _improved(
    liveness: Liveness, tasks: Ints, limit: int, spent: float, effort: Effort
) -> Liveness | None:
    """The schedule with the best recomputations of some tasks; None if it has them already."""
    problem, tables = liveness.problem, liveness.problem.tables
    segment = Segment(tables.flow, liveness.order, tasks, tables.dropped,
                      backward_start(problem, liveness.schedule) - 1)
    effort.spend(liveness.steps)
    effort.steps -= (len(segment.moments) << len(segment.sizes)) // SETS_A_STEP
    fits = liveness.peak <= limit
    runs = Course(segment.moments, segment.runs, tables.seconds[tasks + len(problem.tasks)],
                  segment.sizes).cheapest(limit, (1 - LEAST_GAIN) * spent if fits else np.inf)
    if runs is None:
        return None
    after = Liveness(problem, _with_runs(liveness, set(tasks.tolist()), [
        (segment.places[moment], int(tasks[run])) for moment, run in runs])).pruned()
    better = not fits or after.seconds < liveness.seconds
    return after if after.peak <= limit and better else None


def _with_runs(liveness: Liveness, tasks: set[int], runs: list[tuple[int, int]]) -> Schedule:
    """The schedule whose only recomputations of some tasks are those of runs: (step, task)."""
    order: list[int] = []
    for (place, task), (end, _) in pairwise([(0, -1), *runs, (liveness.steps, -1)]):
        if task >= 0:
            order.append(task)
        order += [number for number, first in zip(
            liveness.schedule[place:end], liveness.first_runs[place:end], strict=True)
            if first or number not in tasks]
    return tuple(order)

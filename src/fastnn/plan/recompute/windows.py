"""Exact search through windows: a few tasks in a row choose anew when they run, all others stay.

Greedy moves (`improve`) make a value again just where it is read. A window finds what takes several
moves at once: a value made early, while its inputs are still held, so that they can go; two given
up for a third. Where one window has room for all tasks, as in small nets, its result is the
optimum for the order of first runs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from fastnn.plan.recompute.hold_search import Course
from fastnn.plan.recompute.honour_drops import backward_start
from fastnn.plan.recompute.improve import Effort
from fastnn.plan.recompute.lives import Lives
from fastnn.plan.recompute.problem import Problem, Schedule
from fastnn.plan.recompute.tables import Ints
from fastnn.plan.recompute.window import Window

WHOLE = 12  # values of a problem that one window is for
SETS_A_STEP = 20  # sets of values that take as long as one simulated step
LEAST_GAIN = 1e-9  # of the seconds that a window's second runs take


class Windows:
    """All windows of a problem with at most so many values; each overlaps half of the one before.

    closed: schedules that no window can improve, and the largest limit for which that is known.
    """

    def __init__(self, problem: Problem, width: int) -> None:
        self._problem = problem
        self._rows = [np.array(row) for row in rows_of_tasks(problem, width)]
        self._closed: dict[Schedule, int] = {}

    def tighten(self, schedule: Schedule, limit: int, effort: Effort) -> Schedule | None:
        """The schedule after every window has found the least seconds within the limit.

        One above the limit is brought below it if a window can do that; None if none can.
        """
        if limit <= self._closed.get(schedule, -1):
            return schedule
        lives = Lives(self._problem, schedule)
        spent = _spent(lives)
        todo = len(self._rows)  # windows since the last one that changed something
        number = 0
        while todo and effort.steps > 0:
            tasks = self._rows[number]
            number, todo = (number + 1) % len(self._rows), todo - 1
            if lives.peak <= limit and not spent[tasks].any():
                continue
            after = _through(lives, tasks, limit, float(spent[tasks].sum()), effort)
            if after is not None:
                lives, spent, todo = after, _spent(after), len(self._rows) - 1
        if lives.peak > limit:
            return None
        if not todo:
            self._closed[lives.schedule] = limit
        return lives.schedule


def rows_of_tasks(problem: Problem, width: int) -> list[tuple[int, ...]]:
    """The tasks of each window: in a row, without those that are views or are looked at."""
    looked_at = {task.view for task in problem.tasks}
    tasks = [number for number, task in enumerate(problem.tasks) if task.again
             and task.view is None and looked_at.isdisjoint(task.second.outputs)]
    ends = np.cumsum([0, *(len(problem.tasks[number].second.outputs) for number in tasks)])
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


def _spent(lives: Lives) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Seconds of each task's second runs."""
    tables = lives.problem.tables
    tasks = len(lives.problem.tasks)
    return tables.seconds[tasks:] * (np.bincount(lives.order, minlength=tasks) - 1)


def _through(
    lives: Lives, tasks: Ints, limit: int, spent: float, effort: Effort
) -> Lives | None:
    """The schedule with the best runs of some tasks; None if it has them already."""
    problem, tables = lives.problem, lives.problem.tables
    window = Window(tables.flow, lives.order, tasks, tables.dropped,
                    backward_start(problem, lives.schedule) - 1)
    effort.spend(lives.steps)
    effort.steps -= (len(window.moments) << len(window.sizes)) // SETS_A_STEP
    fits = lives.peak <= limit
    runs = Course(window.moments, window.runs, tables.seconds[tasks + len(problem.tasks)],
                  window.sizes).cheapest(limit, (1 - LEAST_GAIN) * spent if fits else np.inf)
    if runs is None:
        return None
    after = Lives(problem, _with_runs(lives, set(tasks.tolist()), [
        (window.places[moment], int(tasks[run])) for moment, run in runs])).pruned()
    better = not fits or after.seconds < lives.seconds
    return after if after.peak <= limit and better else None


def _with_runs(lives: Lives, tasks: set[int], runs: list[tuple[int, int]]) -> Schedule:
    """The schedule with (step, task), in order, as the only second runs of some tasks."""
    order: list[int] = []
    for (place, task), (end, _) in pairwise([(0, -1), *runs, (lives.steps, -1)]):
        if task >= 0:
            order.append(task)
        order += [number for number, first in zip(
            lives.schedule[place:end], lives.first_runs[place:end], strict=True)
            if first or number not in tasks]
    return tuple(order)

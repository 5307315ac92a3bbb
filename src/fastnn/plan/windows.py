"""Exact search through windows: a few tasks in a row choose anew when they run, all others stay.

Greedy moves (`improve`) make a value again just where it is read. A window finds what takes several
moves at once: a value made early, while its inputs are still held, so that they can go; two given
up for a third. Where one window has room for all tasks, as in small nets, its result is the
optimum for the order of first runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fastnn._kernels.held import Course
from fastnn._kernels.window import Window
from fastnn.plan.improve import Effort
from fastnn.plan.lives import Lives
from fastnn.plan.problem import Problem, Schedule
from fastnn.plan.settle import turn

NARROW, WIDE = 8, 12  # values in a window: sets of them are 2 to that power
SETS_A_STEP = 4  # sets of values that take as long as one simulated step
LEAST_GAIN = 1e-9  # of the seconds


def rows_of_tasks(problem: Problem, width: int) -> list[tuple[int, ...]]:
    """Tasks in a row with at most so many values; each row overlaps half of the one before."""
    looked_at = {task.view for task in problem.tasks}
    tasks = [number for number, task in enumerate(problem.tasks) if task.again
             and task.view is None and looked_at.isdisjoint(task.second.outputs)]
    ends = np.cumsum([0, *(len(problem.tasks[number].second.outputs) for number in tasks)])
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


def tighten(
    problem: Problem, schedule: Schedule, limit: int, effort: Effort, width: int = NARROW
) -> Schedule | None:
    """The schedule after every window has found the least seconds within the limit.

    A schedule above the limit is brought below it if one window can do that; None if none can.
    """
    lives = Lives(problem, schedule)
    rows = rows_of_tasks(problem, width)
    todo = len(rows)  # windows since the last one that changed something
    number = 0
    while todo and effort.steps > 0:
        after = _through(problem, lives, rows[number], limit, effort)
        number, todo = (number + 1) % len(rows), todo - 1
        if after is not None:
            lives, todo = after, len(rows) - 1
    return lives.schedule if lives.peak <= limit else None


def _through(
    problem: Problem, lives: Lives, tasks: tuple[int, ...], limit: int, effort: Effort
) -> Lives | None:
    """The schedule with the best runs of some tasks; None if it has them already."""
    second = lives.order[~lives.first_runs]
    spent = float(problem.tables.seconds[second[np.isin(second, tasks)] + len(problem.tasks)].sum())
    fits = lives.peak <= limit
    if fits and not spent:
        return None
    window = Window(problem.tables.flow, lives.order, np.array(tasks), problem.tables.dropped,
                    turn(problem, lives.schedule) - 1)
    effort.spend(lives.schedule)
    effort.steps -= (len(window.moments) << len(window.sizes)) // SETS_A_STEP
    seconds = problem.tables.seconds[np.array(tasks) + len(problem.tasks)]
    runs = Course(window.moments, window.runs, seconds, window.sizes).cheapest(
        limit, spent - LEAST_GAIN * problem.seconds(lives.schedule) if fits else np.inf)
    if runs is None:
        return None
    order = _with_runs(lives, tasks, [(window.places[moment], tasks[run]) for moment, run in runs])
    after = Lives(problem, order).pruned()
    better = not fits or problem.seconds(after.schedule) < problem.seconds(lives.schedule)
    return after if after.peak <= limit and better else None


def _with_runs(lives: Lives, tasks: tuple[int, ...], runs: list[tuple[int, int]]) -> Schedule:
    """The schedule with (step, task), in order, as the only second runs of some tasks."""
    order: list[int] = []
    for (place, task), (end, _) in pairwise([(0, -1), *runs, (lives.steps, -1)]):
        if task >= 0:
            order.append(task)
        order += [number for number, first in zip(
            lives.schedule[place:end], lives.first_runs[place:end], strict=True)
            if first or number not in tasks]
    return tuple(order)

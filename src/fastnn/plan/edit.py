"""Small changes of a schedule: forget a value over a gap between its uses, or keep it again.

Each gives a new schedule in which every value is made before it is read, and no task runs again
for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastnn.plan.problem import Problem, Schedule


@dataclass(frozen=True)
class Gap:
    """A stretch in which a value is only held: after its step `start`, before its step `end`."""

    value: int
    start: int
    end: int


def gaps_at(problem: Problem, schedule: Schedule, step: int) -> Iterator[Gap]:
    """Gaps around a step, of values that may be made again."""
    latest: dict[int, int] = {}  # the last step so far that made or read the value
    for position in range(min(step, len(schedule))):
        task = problem.tasks[schedule[position]]
        for value in (*task.inputs, *task.outputs):
            latest[value] = position
    open_ = {value for value in latest if problem.tasks[problem.producer[value]].again}
    for value in problem.tasks[schedule[step]].inputs:
        open_.discard(value)
    for position in range(step, len(schedule)):
        task = problem.tasks[schedule[position]]
        for value in task.inputs:
            if value in open_:
                open_.discard(value)
                yield Gap(value, latest[value], position)
        open_.difference_update(task.outputs)
        if not open_:
            return


def forget(problem: Problem, schedule: Schedule, gap: Gap) -> Schedule:
    """The schedule that makes the value again at the end of the gap.

    What that needs and is not held there is made again too.
    """
    held = _held(problem, schedule, gap.end) - {gap.value}
    chain: list[int] = []
    pending = [problem.producer[gap.value]]
    found: set[int] = set()
    while pending:
        number = pending.pop()
        if number in found:
            continue
        found.add(number)
        chain.append(number)
        for value in problem.tasks[number].inputs:
            maker = problem.producer[value]
            if value not in held and problem.tasks[maker].again:
                pending.append(maker)
    return prune(problem, (*schedule[:gap.end], *sorted(chain), *schedule[gap.end:]))


def keep(problem: Problem, schedule: Schedule, position: int) -> Schedule:
    """The schedule without the second run of a task at a position."""
    return prune(problem, (*schedule[:position], *schedule[position + 1:]))


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


def prune(problem: Problem, schedule: Schedule) -> Schedule:
    """The schedule without second runs whose values nobody reads."""
    again = set(again_at(schedule))
    wanted: set[int] = set()
    kept = []
    for position in range(len(schedule) - 1, -1, -1):
        task = problem.tasks[schedule[position]]
        if position in again and wanted.isdisjoint(task.outputs):
            continue
        wanted.difference_update(task.outputs)
        wanted.update(task.inputs)
        kept.append(schedule[position])
    return tuple(reversed(kept))


def _held(problem: Problem, schedule: Schedule, step: int) -> set[int]:
    """Values in memory before a step that it or a later one reads (or that are kept)."""
    made = {v for number in schedule[:step] for v in problem.tasks[number].outputs}
    read: set[int] = set()
    fresh: set[int] = set()
    for number in schedule[step:]:
        task = problem.tasks[number]
        read.update(value for value in task.inputs if value not in fresh)
        fresh.update(task.outputs)
    return made & (read | problem.results)

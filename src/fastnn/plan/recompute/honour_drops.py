"""Schedules in which the backward pass finds no dropped value held: it makes each again.

The backward pass begins after the first run of the last forward task. Other edits of a schedule
(`edit`) leave this as it is, as long as they give up no run but those of `spare_at`.
"""

from __future__ import annotations

from fastnn.plan.recompute.edit import again_at
from fastnn.plan.recompute.lives import Lives
from fastnn.plan.recompute.problem import Problem, Schedule


def backward_start(problem: Problem, schedule: Schedule) -> int:
    """The position at which the backward pass begins."""
    return schedule.index(problem.forward - 1) + 1 if problem.forward else 0


def spare_at(problem: Problem, schedule: Schedule) -> list[int]:
    """Positions of second runs that may be given up: not those that make a dropped value anew."""
    if not problem.dropped:
        return again_at(schedule)
    start = backward_start(problem, schedule)
    needed: set[int] = set()
    result = []
    for position in again_at(schedule):
        number = schedule[position]
        if position >= start and number not in needed and (
                problem.dropped.intersection(problem.tasks[number].outputs)):
            needed.add(number)
        else:
            result.append(position)
    return result


def honour_drops(problem: Problem, schedule: Schedule) -> Schedule:
    """The schedule with every dropped value made again where the backward pass first reads it.

    What that needs is read where it is, or made again if it is dropped too.
    """
    if not problem.dropped:
        return schedule
    start = backward_start(problem, schedule)
    gone = set(problem.dropped)
    order = list(schedule[:start])
    for number in schedule[start:]:
        pending = [value for value in problem.tasks[number].inputs if value in gone]
        runs: set[int] = set()
        while pending:
            maker = problem.producer[pending.pop()]
            runs.add(maker)
            pending += [value for value in problem.tasks[maker].inputs
                        if value in gone and problem.producer[value] not in runs]
        order += [*sorted(runs), number]
        gone.difference_update(*(problem.tasks[run].outputs for run in (*runs, number)))
    return Lives(problem, tuple(order)).pruned().schedule

"""Schedules whose backward pass recomputes every dropped value.

The backward pass begins after the first run of the last forward task. The moves of the local
search (`moves`) preserve this property as long as `retain` only takes positions of `spare_at`.
"""

from __future__ import annotations

from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import recomputed_at
from fastnn.plan.recompute.problem import Problem, Schedule


def backward_start(problem: Problem, schedule: Schedule) -> int:
    """The position at which the backward pass begins."""
    return schedule.index(problem.forward - 1) + 1 if problem.forward else 0


def spare_at(problem: Problem, schedule: Schedule) -> list[int]:
    """Positions of the recomputations that may be left out: no dropped value depends on them."""
    if not problem.dropped:
        return recomputed_at(schedule)
    start = backward_start(problem, schedule)
    needed: set[int] = set()
    result = []
    for position in recomputed_at(schedule):
        number = schedule[position]
        if position >= start and number not in needed and (
                problem.dropped.intersection(problem.tasks[number].outputs)):
            needed.add(number)
        else:
            result.append(position)
    return result


def honour_drops(problem: Problem, schedule: Schedule) -> Schedule:
    """The schedule with every dropped value recomputed where the backward pass first reads it.

    Inputs of these recomputations are recomputed too if they are dropped.
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
    return Liveness(problem, tuple(order)).pruned().schedule

"""Moves of the local search: evict a value between two of its uses, or retain it after all.

Each returns a valid schedule: every value is computed before it is read, and no recomputation is
without a reader.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.problem import Schedule
from fastnn.plan.recompute.tables import Ints


@dataclass(frozen=True)
class Gap:
    """The steps after `start` and before `end`, in which a value is held but not used."""

    value: int
    start: int
    end: int


def gaps_at(liveness: Liveness, step: int) -> tuple[Ints, Ints, Ints]:
    """The gaps of recomputable values around a step, as arrays of values, starts and ends."""
    after = liveness.read_at >= step
    start = liveness.made.copy()
    np.maximum.at(start, liveness.read[~after], liveness.read_at[~after])
    end = np.full(liveness.value.size, liveness.steps)
    np.minimum.at(end, liveness.read[after], liveness.read_at[after])
    open_ = (liveness.made < step) & (step < end) & (end < liveness.steps)
    open_ &= liveness.problem.tables.recomputable[liveness.value]
    return liveness.value[open_], start[open_], end[open_]


def evict(liveness: Liveness, gap: Gap) -> Liveness:
    """Free a value during a gap and recompute it at the end, from recomputed inputs if need be."""
    tables = liveness.problem.tables
    runs = tables.flow.missing(tables.producer, tables.recomputable.view(np.uint8), liveness.made,
                               liveness.value, liveness.last_read, gap.value, gap.end)
    order = liveness.order
    order = np.concatenate([order[:gap.end], runs, order[gap.end:]])
    return Liveness(liveness.problem, order).pruned()


def retain(liveness: Liveness, position: int) -> Liveness:
    """Leave out the recomputation at a position: its values are held from the run before."""
    return Liveness(liveness.problem, np.delete(liveness.order, position)).pruned()


def recomputed_at(schedule: Schedule) -> list[int]:
    """Positions of the recomputations: tasks that ran before.

    >>> recomputed_at((0, 1, 0, 2))
    [2]
    """
    seen: set[int] = set()
    result = []
    for position, number in enumerate(schedule):
        if number in seen:
            result.append(position)
        seen.add(number)
    return result

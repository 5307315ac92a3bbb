"""Greedy local search: evict values until a limit holds, measured on the exact simulator.

Each move has the best ratio of overshoot removed (bytes above the limit, summed over stages) to
seconds added. A number of simulated steps bounds the search, never a clock, so the same problem
always gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.recompute.honour_drops import spare_at
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import Gap, evict, gaps_at, retain
from fastnn.plan.recompute.problem import Problem, Schedule

OVERHEAD = 300
TRIED = 3  # moves simulated before the best of them is made


@dataclass
class Effort:
    """How many more steps may be simulated; each simulation costs OVERHEAD steps on top."""

    steps: int

    def spend(self, steps: int) -> bool:
        """Pay for the simulation of a schedule of so many steps; False if too little was left."""
        self.steps -= steps + OVERHEAD
        return self.steps >= 0

    def share(self, parts: int) -> Effort:
        """Split off one of `parts` equal parts of what is left."""
        part = max(self.steps // parts, 0)
        self.steps -= part
        return Effort(part)

    def take_back(self, share: Effort) -> None:
        """Add what a share has left over."""
        self.steps += max(share.steps, 0)


def overshoot(liveness: Liveness, limit: int) -> int:
    """Bytes above a limit: the maximum of each stage, summed.

    A stage is a task's first run and the recomputations before it. A sum over steps would punish
    each recomputation for the steps that it adds.
    """
    flow = liveness.problem.tables.flow
    return int(flow.overshoot(liveness.used, liveness.first_runs.view(np.uint8), limit))


def reduce(
    problem: Problem, schedule: Schedule, limit: int, effort: Effort
) -> Schedule | None:
    """Evict values until the schedule is within the limit; None if no move helps any more."""
    liveness = Liveness(problem, schedule)
    excess = overshoot(liveness, limit)
    seconds = liveness.seconds
    while excess:
        best: tuple[float, int, float, Liveness] | None = None
        for gap in _promising(liveness, limit):
            after = evict(liveness, gap)
            if not effort.spend(after.steps):
                return None
            left = overshoot(after, limit)
            if left < excess:
                cost = after.seconds - seconds
                gain = (excess - left) / max(cost, 1e-12)
                if best is None or gain > best[0]:
                    best = gain, left, seconds + cost, after
        if best is None:
            return None
        _, excess, seconds, liveness = best
    return liveness.schedule


def _promising(liveness: Liveness, limit: int) -> list[Gap]:
    """The gaps at the peak with the most bytes, over the most steps above the limit, per second."""
    tables, tasks = liveness.problem.tables, len(liveness.problem.tasks)
    above = np.concatenate([[0], np.cumsum(liveness.used > limit)])
    value, start, end = gaps_at(liveness, int(liveness.used.argmax()))
    seconds = tables.seconds[tasks + tables.producer[value]]
    merit = tables.sizes[value] * (above[end] - above[start + 1]) / np.maximum(seconds, 1e-12)
    best = np.argsort(-merit, kind="stable")[:TRIED]
    return [Gap(int(value[i]), int(start[i]), int(end[i])) for i in best]


def refill(problem: Problem, schedule: Schedule, limit: int, effort: Effort) -> Schedule:
    """The schedule without the recomputations that the limit does not require."""
    liveness = Liveness(problem, schedule)
    seconds = liveness.seconds
    changed = True
    while changed:
        changed = False
        for place in _with_room(problem, liveness, limit):
            shorter = retain(liveness, place)
            if not effort.spend(shorter.steps):
                return liveness.schedule
            time = shorter.seconds
            if time <= seconds and shorter.peak <= limit:
                liveness, seconds, changed = shorter, time, True
                break
    return liveness.schedule


def _with_room(problem: Problem, liveness: Liveness, limit: int) -> list[int]:
    """Steps of recomputations whose values could be held instead, the most expensive first."""
    by_value = np.lexsort((liveness.made, liveness.value))
    second = np.flatnonzero(liveness.value[by_value[1:]] == liveness.value[by_value[:-1]])
    before, after = by_value[second], by_value[second + 1]
    steps, number = np.unique(liveness.made[after], return_inverse=True)
    start = steps.copy()
    np.minimum.at(start, number, liveness.last_read[before])
    held = np.bincount(number, np.array(problem.reserved)[liveness.value[after]], steps.size)
    fits = np.zeros(steps.size, bool)
    for size in np.unique(held):
        above = np.concatenate([[0], np.cumsum(liveness.used + size > limit)])
        fits |= (held == size) & (above[steps] == above[np.minimum(start + 1, steps)])
    spare = set(spare_at(problem, liveness.schedule)).intersection(steps[fits].tolist())
    return sorted(spare, key=lambda step: (
        -problem.tasks[liveness.schedule[step]].recomputed.seconds, step))

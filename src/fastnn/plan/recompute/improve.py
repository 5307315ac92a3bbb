"""Forget values until a limit holds, on the exact simulator.

It goes by the best ratio of overshoot removed (bytes above the limit, summed over stages) to
seconds spent. The work is bounded by a number of simulated steps and never by a clock, so that the
same problem gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastnn.plan.recompute.edit import Gap, forget, gaps_at, keep
from fastnn.plan.recompute.honour_drops import spare_at
from fastnn.plan.recompute.lives import Lives
from fastnn.plan.recompute.problem import Problem, Schedule

OVERHEAD = 300
TRIED = 3  # moves simulated before the best of them is made


@dataclass
class Effort:
    """How many more steps may be simulated; each simulation counts as OVERHEAD steps more."""

    steps: int

    def spend(self, steps: int) -> bool:
        """Whether there was enough left for one more simulation, of a schedule of so many steps."""
        self.steps -= steps + OVERHEAD
        return self.steps >= 0

    def share(self, parts: int) -> Effort:
        """One of so many parts of what is left, taken from it."""
        part = max(self.steps // parts, 0)
        self.steps -= part
        return Effort(part)

    def take_back(self, share: Effort) -> None:
        """What a part left over."""
        self.steps += max(share.steps, 0)


def overshoot(lives: Lives, limit: int) -> int:
    """Bytes above a limit, summed over stages: a task's first run and the replays before it.

    Stages, not steps: a replay adds steps, and must not seem to do harm by their number.
    """
    flow = lives.problem.tables.flow
    return int(flow.overshoot(lives.used, lives.first_runs.view(np.uint8), limit))


def reduce(
    problem: Problem, schedule: Schedule, limit: int, effort: Effort
) -> Schedule | None:
    """A schedule within the limit, from one that is not; None if no move helps any more."""
    lives = Lives(problem, schedule)
    excess = overshoot(lives, limit)
    seconds = lives.seconds
    while excess:
        best: tuple[float, int, float, Lives] | None = None
        for gap in _promising(lives, limit):
            after = forget(lives, gap)
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
        _, excess, seconds, lives = best
    return lives.schedule


def _promising(lives: Lives, limit: int) -> list[Gap]:
    """The gaps at the peak that look best: most bytes over most overshooting steps a second."""
    tables, tasks = lives.problem.tables, len(lives.problem.tasks)
    above = np.concatenate([[0], np.cumsum(lives.used > limit)])
    value, start, end = gaps_at(lives, int(lives.used.argmax()))
    seconds = tables.seconds[tasks + tables.producer[value]]
    merit = tables.sizes[value] * (above[end] - above[start + 1]) / np.maximum(seconds, 1e-12)
    best = np.argsort(-merit, kind="stable")[:TRIED]
    return [Gap(int(value[i]), int(start[i]), int(end[i])) for i in best]


def refill(problem: Problem, schedule: Schedule, limit: int, effort: Effort) -> Schedule:
    """The schedule with whatever second runs left out that the limit does not need."""
    lives = Lives(problem, schedule)
    seconds = lives.seconds
    changed = True
    while changed:
        changed = False
        for place in _with_room(problem, lives, limit):
            shorter = keep(lives, place)
            if not effort.spend(shorter.steps):
                return lives.schedule
            time = shorter.seconds
            if time <= seconds and shorter.peak <= limit:
                lives, seconds, changed = shorter, time, True
                break
    return lives.schedule


def _with_room(problem: Problem, lives: Lives, limit: int) -> list[int]:
    """Steps of second runs, the dearest first, whose values could be held from the run before."""
    by_value = np.lexsort((lives.made, lives.value))
    second = np.flatnonzero(lives.value[by_value[1:]] == lives.value[by_value[:-1]])
    before, after = by_value[second], by_value[second + 1]
    steps, number = np.unique(lives.made[after], return_inverse=True)
    start = steps.copy()
    np.minimum.at(start, number, lives.last_read[before])
    held = np.bincount(number, np.array(problem.reserved)[lives.value[after]], steps.size)
    fits = np.zeros(steps.size, bool)
    for size in np.unique(held):
        above = np.concatenate([[0], np.cumsum(lives.used + size > limit)])
        fits |= (held == size) & (above[steps] == above[np.minimum(start + 1, steps)])
    spare = set(spare_at(problem, lives.schedule)).intersection(steps[fits].tolist())
    return sorted(spare, key=lambda step: (
        -problem.tasks[lives.schedule[step]].second.seconds, step))

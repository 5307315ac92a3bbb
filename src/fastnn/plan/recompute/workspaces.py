"""Smaller workspaces where a schedule holds most: a step there may have one thread.

What a kernel needs beside its operands grows with its team, and its result is the same for any. So
the steps at a peak take less memory and more time, down to what the values alone take.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastnn.plan.recompute.lives import Lives
from fastnn.plan.recompute.problem import Problem, Schedule

LEAST = 1 / 200  # of the peak, that a variant saves: less is not worth a plan


def single_thread_variants(
    problem: Problem, schedule: Schedule, longest: float
) -> Iterator[tuple[int, float, frozenset[int]]]:
    """(peak, seconds, steps that have one thread) of three variants of a schedule at most.

    The nearest to it, the one with the least peak, and one between; each has the fewest such
    steps for its peak. longest: seconds that are too many.
    """
    lives, tables = Lives(problem, schedule), problem.tables
    rows = lives.order + np.where(lives.first_runs, 0, len(problem.tasks))
    largest = np.argsort(-lives.used, kind="stable")
    used, spare = lives.used[largest], tables.spare[rows[largest]]
    seconds = lives.seconds + np.cumsum(tables.slower[rows[largest]])
    # The peak with one thread for the first, the first two, ...: theirs, or that of the next.
    peaks = np.maximum(np.maximum.accumulate(used - spare)[:-1], used[1:])
    before = np.minimum.accumulate(np.append(used[:1], peaks[:-1]))
    useful = np.flatnonzero((peaks < before) & (peaks <= (1 - LEAST) * lives.peak)
                            & (seconds[:-1] < longest))
    for last in useful[sorted({0, useful.size // 2, useful.size - 1})] if useful.size else ():
        yield int(peaks[last]), float(seconds[last]), frozenset(largest[:last + 1].tolist())

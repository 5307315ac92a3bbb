"""Smaller workspaces at the peak: steps there may run on one thread.

A kernel's workspace grows with its number of threads, and its result does not change. So the steps
at the peak can trade time for memory, down to what the values themselves take.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.problem import Problem, Schedule

LEAST = 1 / 200  # of the peak: a variant that saves less is not worth a plan


def single_thread_variants(
    problem: Problem, schedule: Schedule, longest: float
) -> Iterator[tuple[int, float, frozenset[int]]]:
    """At most three variants of a schedule, as (peak, seconds, steps that run on one thread).

    The fastest, the one with the smallest peak, and one between. Each has the fewest such steps
    for its peak, and takes less than `longest` seconds.
    """
    liveness, tables = Liveness(problem, schedule), problem.tables
    rows = liveness.order + np.where(liveness.first_runs, 0, len(problem.tasks))
    largest = np.argsort(-liveness.used, kind="stable")
    used, spare = liveness.used[largest], tables.spare[rows[largest]]
    seconds = liveness.seconds + np.cumsum(tables.slower[rows[largest]])
    # The peak with one thread for the largest step, for the two largest, ...
    peaks = np.maximum(np.maximum.accumulate(used - spare)[:-1], used[1:])
    before = np.minimum.accumulate(np.append(used[:1], peaks[:-1]))
    useful = np.flatnonzero((peaks < before) & (peaks <= (1 - LEAST) * liveness.peak)
                            & (seconds[:-1] < longest))
    for last in useful[sorted({0, useful.size // 2, useful.size - 1})] if useful.size else ():
        yield int(peaks[last]), float(seconds[last]), frozenset(largest[:last + 1].tolist())

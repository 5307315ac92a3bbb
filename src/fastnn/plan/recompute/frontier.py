"""The Pareto frontier of schedules, time against bytes: from keeping all to the least memory.

It depends only on the problem. A budget picks a point, so a smaller budget can neither raise the
peak nor shorten the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fastnn.plan.recompute.blocks import blocks
from fastnn.plan.recompute.chain import make_chain, schedule, solve
from fastnn.plan.recompute.honour_drops import honour_drops
from fastnn.plan.recompute.improve import Effort, reduce, refill
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.options import thresholds
from fastnn.plan.recompute.problem import Problem, Schedule
from fastnn.plan.recompute.segments import Segments
from fastnn.plan.recompute.workspaces import single_thread_variants

# The chains that are tried: (number of blocks, their growth towards the front). Few blocks have
# more options each, many are cut more finely. Each chain gets tables for limits up to the peak
# divided by these numbers, the finest table first: in a deep net a value is smaller than a slot of
# the coarsest. FORWARD: how many forward tasks a net must have for a chain of so many blocks.
CHAINS = {(6, 1): (6, 1), (16, 1): (6, 1), (16, 3): (4, 1), (24, 2): (12, 4, 1),
          (48, 1): (6, 1), (144, 1.5): (24, 12), (288, 1): (48, 24)}
FORWARD = {144: 432, 288: 1728}
THRESHOLDS = 48  # schedules that evict everything below a cost
LEVELS = 48  # limits for which schedules are improved
NARROW, WIDE = 8, 10  # values of a segment
EFFORT = 4_000_000  # simulated steps


@dataclass(frozen=True)
class Point:
    """A schedule with its peak (bytes in use, before packing) and time.

    single_threaded: its steps that run on one thread, for a smaller workspace.
    """

    bytes: int
    seconds: float
    schedule: Schedule
    single_threaded: frozenset[int] = frozenset()


def pareto(points: Iterable[Point]) -> list[Point]:
    """The Pareto-optimal points, from the least memory to the least time."""
    result: list[Point] = []
    for point in sorted(points, key=lambda p: (p.bytes, p.seconds)):
        if not result or point.seconds < result[-1].seconds:
            result.append(point)
    return result


class Archive:
    """All schedules found so far, measured."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._numbers = problem.everything  # shared by all schedules: a fourth of the memory
        self._points: dict[Schedule, Point] = {}

    def add(self, order: Schedule) -> Point:
        """Measure a schedule and add it."""
        point = self._points.get(order)
        if point is None:
            order = tuple(map(self._numbers.__getitem__, order))
            point = Point(Liveness(self._problem, order).peak, self._problem.seconds(order), order)
            self._points[order] = point
        return point

    def best(self, limit: int) -> Point | None:
        """The fastest within a limit."""
        fitting = [point for point in self._points.values() if point.bytes <= limit]
        return min(fitting, key=lambda point: (point.seconds, point.bytes), default=None)

    def above(self, limit: int, count: int) -> list[Schedule]:
        """The fastest few above a limit, but by no more than half of it."""
        near = [point for point in self._points.values() if limit < point.bytes <= 1.5 * limit]
        near.sort(key=lambda point: (point.seconds, point.bytes))
        return [point.schedule for point in near[:count]]

    def points(self) -> list[Point]:
        """The Pareto-optimal ones, from the least memory to the least time."""
        return pareto(self._points.values())


@lru_cache(maxsize=4)
def interned(problem: Problem) -> Problem:
    """The first problem equal to this one, so that a net traced again keeps no copy in memory."""
    return problem


@lru_cache(maxsize=4)  # a new budget, or the same net traced again, asks for the same one
def frontier(problem: Problem) -> tuple[Point, ...]:
    """The schedules found, from the least memory to the least time."""
    archive = Archive(problem)
    whole = archive.add(honour_drops(problem, problem.everything))
    effort = Effort(EFFORT)
    for rough in thresholds(problem, THRESHOLDS):
        order = honour_drops(problem, rough)
        effort.spend(len(order))
        archive.add(order)
    _from_chains(problem, archive, whole.bytes, effort)
    narrow, wide = Segments(problem, NARROW), Segments(problem, WIDE)
    for stage, segments, parts in (
            (_improve, narrow, 2), (_descend, narrow, 3), (_polish, wide, 1)):
        share = effort.share(parts)
        stage(problem, archive, segments, share)
        effort.take_back(share)
    return tuple(_with_leaner(problem, archive.points()))


def _with_leaner(problem: Problem, points: list[Point]) -> list[Point]:
    """The points and their variants with smaller workspaces."""
    longest = [math.inf, *(point.seconds for point in points[:-1])]
    return pareto([*points, *(
        Point(peak, seconds, point.schedule, single_threaded)
        for point, limit in zip(points, longest, strict=True)
        for peak, seconds, single_threaded
        in single_thread_variants(problem, point.schedule, limit))])


def _from_chains(problem: Problem, archive: Archive, top: int, effort: Effort) -> None:
    """Add the schedules of the chains' tables, each for limits that no finer table covers.

    Where simulating all of a table would take long, an even selection is added.
    """
    done = set()
    for (most, growth), ranges in CHAINS.items():
        enough = problem.forward >= FORWARD.get(most, 0)
        parts = blocks(problem, most, growth) if enough else []
        ends = tuple(part.end for part in parts)
        if ends in done or len(ends) < 2:
            continue
        done.add(ends)
        chain = make_chain(problem, parts)
        covered = 0
        for share in ranges:
            table = solve(chain, top // share)
            limits = [limit for limit in table.limits() if limit * table.unit > covered]
            covered = top // share if limits else covered
            most_tried = max(4, effort.steps // (25 * len(problem.tasks)))
            tried = np.linspace(0, len(limits) - 1, min(len(limits), most_tried)).round()
            for limit in (limits[int(place)] for place in tried):
                order = honour_drops(problem, Liveness(problem, schedule(problem, table, limit))
                               .pruned().schedule)
                effort.spend(len(order))
                archive.add(order)
            del table  # free it before the next one is made


def _descend(problem: Problem, archive: Archive, narrow: Segments, effort: Effort) -> None:
    """Go below the least memory found so far, as long as that succeeds."""
    step = 0.95
    while step < 0.995 and effort.steps > 0:
        points = archive.points()
        limit = int(points[0].bytes * step)
        for start in (points[0].schedule, points[len(points) // 2].schedule, points[-1].schedule):
            order = reduce(problem, start, limit, effort)
            if order is not None:
                archive.add(narrow.tighten(order, limit, effort) or order)
                break
        else:
            step = 1 - (1 - step) / 2


def _improve(problem: Problem, archive: Archive, narrow: Segments, effort: Effort) -> None:
    """Search locally at limits between the least and the most bytes, the largest first."""
    points = archive.points()
    least, most, whole = points[0].bytes, points[-1].bytes, points[-1].schedule
    before = whole
    for level in range(1, LEVELS + 1):
        share = effort.share(LEVELS + 1 - level)
        limit = round(most * (least / most) ** (level / LEVELS))
        for start in dict.fromkeys((before, *archive.above(limit, 1))):
            order = reduce(problem, start, limit, share)
            if order is not None:
                archive.add(refill(problem, order, limit, share))
        found = archive.best(limit)
        if found is not None:
            before = narrow.tighten(found.schedule, limit, share) or found.schedule
            archive.add(before)
        effort.take_back(share)


def _polish(problem: Problem, archive: Archive, wide: Segments, effort: Effort) -> None:
    """Speed up each schedule of the frontier within its own bytes, and look for one just below.

    The limits of `_improve` lie apart: what is best at one may miss the next by a few bytes.
    """
    done: set[Schedule] = set()
    while effort.steps > 0:
        todo = [point for point in archive.points() if point.schedule not in done]
        if not todo:
            break
        for count, point in enumerate(reversed(todo)):
            share = effort.share(len(todo) - count)
            archive.add(wide.tighten(point.schedule, point.bytes, share) or point.schedule)
            limit = point.bytes - 1
            start = reduce(problem, point.schedule, limit, share) or point.schedule
            below = wide.tighten(start, limit, share)
            if below is not None:
                archive.add(below)
            done.add(point.schedule)
            effort.take_back(share)

"""Segments: the optimum where one holds everything, and elsewhere never worse than the start."""

from dataclasses import replace
from itertools import pairwise

import pytest

from fastnn.plan.recompute.frontier import frontier
from fastnn.plan.recompute.honour_drops import honour_drops
from fastnn.plan.recompute.improve import Effort, reduce
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.segments import WHOLE, Segments, rows_of_tasks
from tests.plan.oracles import LiveSets
from tests.plan.random_problems import MOTIFS, random_problem

ENOUGH = 10**7


@pytest.mark.parametrize("name", MOTIFS)
def test_one_segment_alone_finds_the_optimum(name):
    """From keeping everything, which is above every limit, without any other move."""
    problem = MOTIFS[name](1)
    segments, oracle = Segments(problem, WHOLE), LiveSets(problem)
    everything = honour_drops(problem, problem.everything)
    least, most = oracle.least_bytes(), Liveness(problem, everything).peak
    for limit in (least, (least + most) // 2, most):
        found = segments.tighten(everything, limit, Effort(ENOUGH))
        assert found is not None
        liveness = Liveness(problem, found)
        assert liveness.peak <= limit
        assert liveness.seconds == pytest.approx(oracle.least_seconds(limit), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_many_segments_stay_within_the_limit_and_lose_nothing(seed):
    problem = random_problem(seed, 30)
    assert len(rows_of_tasks(problem, 8)) > 1
    points = frontier(problem)
    everything = honour_drops(problem, problem.everything)
    limit = (points[0].bytes + points[-1].bytes) // 2
    start = reduce(problem, everything, limit, Effort(ENOUGH))
    assert start is not None
    found = Segments(problem, 8).tighten(start, limit, Effort(ENOUGH))
    assert found == Segments(problem, 8).tighten(start, limit, Effort(ENOUGH)), "repeatable"
    assert Liveness(problem, found).peak <= limit
    assert Liveness(problem, found).seconds <= Liveness(problem, start).seconds


def test_no_segment_finds_room_that_is_not_there():
    problem = random_problem(0, 30)
    start = honour_drops(problem, problem.everything)
    assert Segments(problem, 8).tighten(start, 1, Effort(ENOUGH)) is None


@pytest.mark.parametrize("width", [4, 7, 10])
@pytest.mark.parametrize("seed", range(4))
def test_segments_are_as_long_as_they_may_be_and_overlap_by_half(seed, width):
    """Of recomputable tasks, without views and what views share; each is in some segment."""
    problem = random_problem(seed, 30)
    tasks = list(problem.tasks)
    tasks[7] = replace(tasks[7], view=3)
    problem = replace(problem, tasks=tuple(tasks))
    able = [i for i, task in enumerate(tasks) if task.recomputable and i not in (3, 7)]
    rows = rows_of_tasks(problem, width)
    assert sorted({number for row in rows for number in row}) == able
    starts = []
    for row in rows:
        start = able.index(row[0])
        starts.append((start, start + len(row)))
        assert list(row) == able[start:start + len(row)]
        assert len(row) == min(width, len(able) - start)  # each task here makes one value
    for (start, end), (after, _) in pairwise(starts):
        assert after == (start + end) // 2
    assert rows_of_tasks(random_problem(seed, WHOLE), width) == [tuple(range(WHOLE))]
    assert len(rows_of_tasks(random_problem(seed, WHOLE + 1), width)) > 1

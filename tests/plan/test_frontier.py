"""The planner against independent optima, and what every frontier must be."""

from itertools import pairwise

import numpy as np
import pytest

from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.memory.layout import layout
from fastnn.plan.recompute.frontier import NARROW, Archive, Point, _descend, frontier, pareto
from fastnn.plan.recompute.improve import Effort
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.recompute.replay import replay
from fastnn.plan.recompute.segments import Segments
from fastnn.plan.select import select
from tests.plan.oracles import LiveSets, checkmate_seconds
from tests.plan.random_graphs import random_graph
from tests.plan.random_problems import MOTIFS, random_problem
from tests.plan.test_replay import random_schedule

CASES = {**{f"random {seed}": (random_problem, seed) for seed in range(24)},
         **{name: (make, 0) for name, make in MOTIFS.items()}}


def problem_of(name):
    make, seed = CASES[name]
    return make(seed, 8) if make is random_problem else make(seed)


def against_optimum(problem, budgets=6):
    """(our seconds / the optimum's at budgets from 1.05 of the least, our least bytes / least)."""
    points, oracle = frontier(problem), LiveSets(problem)
    least, most = oracle.least_bytes(), points[-1].bytes
    ratios = []
    for k in range(budgets):
        limit = int(1.05 * least + (most - 1.05 * least) * k / budgets)
        ours = min(point.seconds for point in points if point.bytes <= limit)
        best = oracle.least_seconds(limit)
        assert ours >= best * (1 - 1e-9), "better than the optimum: one of the two is wrong"
        ratios.append(ours / best)
    return ratios, points[0].bytes / least


def test_near_the_optimum():
    found = [against_optimum(problem_of(name)) for name in CASES]
    ratios = [ratio for each, _ in found for ratio in each]
    assert np.median(ratios) <= 1.02 and max(ratios) <= 1.10
    assert max(least for _, least in found) <= 1.05


@pytest.mark.parametrize("seed", [0, 1])
def test_the_oracles_agree(seed):
    """Search over live sets and integer programming have nothing in common but the problem."""
    problem = random_problem(seed, 5)
    search = LiveSets(problem)
    least, most = search.least_bytes(), frontier(problem)[-1].bytes
    for limit in (least, (least + most) // 2):
        seconds, proven = checkmate_seconds(problem, limit)
        assert proven
        assert seconds == pytest.approx(search.least_seconds(limit), rel=1e-5)
    assert checkmate_seconds(problem, least - 1) == (np.inf, True)


@pytest.mark.parametrize("name", CASES)
def test_a_frontier_trades_time_for_bytes(name):
    problem = problem_of(name)
    points = frontier(problem)
    for smaller, larger in pairwise(points):
        assert smaller.bytes < larger.bytes and smaller.seconds > larger.seconds
    for point in points:
        assert point.bytes == Liveness(problem, point.schedule).peak
        assert point.seconds == pytest.approx(problem.seconds(point.schedule))
    frontier.cache_clear()
    assert frontier(problem) == points


@pytest.mark.parametrize("seed", range(12))
def test_the_simulator_counts_as_the_layout_does(seed):
    graph = fuse(random_graph(seed)[0])
    problem = build_problem(graph, select(graph, 1))
    rng = np.random.default_rng(seed)
    for edits in (0, 3, 20):
        schedule = random_schedule(problem, rng, edits)
        again = replay(graph, problem, schedule)
        steps = select(again, 1)
        laid_out = layout(again, steps)
        every = {id(s): s for s in (*laid_out.storages.values(), *laid_out.workspaces.values())}
        assert Liveness(problem, schedule).used.tolist() == [
            sum(s.reserved for s in every.values() if s.first <= i <= s.last)
            for i in range(len(steps))]


def test_the_pareto_frontier():
    """Of the same bytes the faster; of more bytes only what is faster than all with fewer."""
    points = [Point(bytes, seconds, (bytes, int(seconds))) for bytes, seconds in (
        (30, 5.0), (10, 9.0), (20, 7.0), (20, 6.0), (25, 6.0), (40, 5.0), (50, 4.0), (5, 9.0))]
    assert [(point.bytes, point.seconds) for point in pareto(points)] == [
        (5, 9.0), (20, 6.0), (30, 5.0), (50, 4.0)]


def test_an_archive_finds_what_fits_and_what_nearly_does():
    problem = random_problem(3, 8)
    archive = Archive(problem)
    rng = np.random.default_rng(0)
    added = [archive.add(random_schedule(problem, rng, edits)) for edits in (0, 1, 2, 4, 8, 16, 32)]
    for point in added:
        liveness = Liveness(problem, point.schedule)
        assert (point.bytes, point.seconds) == (liveness.peak, liveness.seconds)
        assert archive.add(point.schedule) is point
    assert archive.points() == pareto(added)
    for limit in sorted({point.bytes for point in added}):
        for least in (limit - 1, limit):
            fitting = [point for point in added if point.bytes <= least]
            fastest = min(fitting, key=lambda p: (p.seconds, p.bytes), default=None)
            assert archive.best(least) == fastest
        near = sorted((p for p in set(added) if limit < p.bytes <= 1.5 * limit),
                      key=lambda p: (p.seconds, p.bytes))
        for count in (1, 2, 10):
            assert archive.above(limit, count) == [point.schedule for point in near[:count]]


@pytest.mark.parametrize("name", CASES)
def test_going_down_ends_near_the_least_memory(name):
    problem = problem_of(name)
    archive = Archive(problem)
    whole = archive.add(problem.everything)
    _descend(problem, archive, Segments(problem, NARROW), Effort(0))
    assert archive.points() == [whole], "no effort, no search"
    _descend(problem, archive, Segments(problem, NARROW), Effort(10**6))
    assert archive.points()[0].bytes <= 1.1 * LiveSets(problem).least_bytes()

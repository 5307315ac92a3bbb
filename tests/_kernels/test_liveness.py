"""Schedules followed step by step with dictionaries and sets, against the compiled pass."""

import numpy as np
import pytest

from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.recompute.improve import overshoot
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import evict
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.select import select
from tests.plan.random_graphs import random_graph
from tests.plan.random_problems import random_problem
from tests.plan.test_replay import gaps_around, random_schedule


def _problem(seed):
    if seed % 2:
        return random_problem(seed)
    graph = fuse(random_graph(seed)[0])
    return build_problem(graph, select(graph, 1))


@pytest.mark.parametrize("seed", range(24))
def test_instances_and_readers(seed):
    problem = _problem(seed)
    schedule = random_schedule(problem, np.random.default_rng(seed), 12)
    latest, made, values, last, reads, seen = {}, [], [], [], [], set()
    for step, number in enumerate(schedule):
        task = problem.tasks[number].recomputed if number in seen else problem.tasks[number]
        for value in task.inputs:
            reads.append((step, latest[value]))
            last[latest[value]] = step
        for value in task.outputs:
            latest[value] = len(made)
            made.append(step)
            values.append(value)
            last.append(step)
        seen.add(number)
    liveness = Liveness(problem, schedule)
    assert liveness.made.tolist() == made and liveness.value.tolist() == values
    assert liveness.last_read.tolist() == last
    assert [*zip(liveness.read_at.tolist(), liveness.read.tolist(), strict=True)] == reads
    assert liveness.first_runs.tolist() == [number not in schedule[:step]
                                         for step, number in enumerate(schedule)]


@pytest.mark.parametrize("seed", range(12))
def test_second_runs_for_nothing_are_left_out(seed):
    problem = _problem(seed)
    again = [number for number, task in enumerate(problem.tasks) if task.recomputable]
    if not again:
        return
    rng = np.random.default_rng(seed)
    clean = random_schedule(problem, rng, 6)
    assert Liveness(problem, clean).pruned().schedule == clean
    untidy = list(clean)
    for number in rng.choice(again, 5):
        untidy.append(int(number))  # after everything that could read it
    pruned = Liveness(problem, tuple(untidy)).pruned()
    assert pruned.schedule == clean


@pytest.mark.parametrize("seed", range(12))
def test_what_is_missing_for_a_value_is_recomputed(seed):
    problem = _problem(seed)
    liveness = Liveness(problem, random_schedule(problem, np.random.default_rng(seed), 6))
    for step in range(1, liveness.steps):
        for gap in gaps_around(liveness, step):
            held = {int(value) for value, made, last in zip(
                liveness.value, liveness.made, liveness.last_read, strict=True)
                if made < gap.end <= last and value != gap.value}
            found, pending = set(), [gap.value]
            while pending:
                maker = problem.producer[pending.pop()]
                if maker not in found:
                    found.add(maker)
                    pending += [v for v in problem.tasks[maker].inputs
                                if v not in held and problem.recomputable[v]]
            order = list(liveness.schedule)
            order[gap.end:gap.end] = sorted(found)
            expected = Liveness(problem, tuple(order)).pruned().schedule
            assert evict(liveness, gap).schedule == expected


@pytest.mark.parametrize("seed", range(12))
def test_a_stage_counts_once_above_a_limit(seed):
    problem = _problem(seed)
    liveness = Liveness(problem, random_schedule(problem, np.random.default_rng(seed), 6))
    for share in (0.3, 0.6, 0.9):
        limit, total, stage = int(liveness.peak * share), 0, []
        for used, first in zip(liveness.used.tolist(), liveness.first_runs.tolist(), strict=True):
            stage.append(max(used - limit, 0))
            if first:
                total, stage = total + max(stage), []
        assert overshoot(liveness, limit) == total + max(stage, default=0)

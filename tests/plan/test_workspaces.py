"""Smaller workspaces at a schedule's peak: the fewest steps on one thread, and the same bits."""

import math
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest

import fastnn as fn
from fastnn.graph import leaf
from fastnn.plan import build as building
from fastnn.plan.cost.predict import fixed_rates
from fastnn.plan.recompute.frontier import Point, pareto
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.problem import Problem, build_problem
from fastnn.plan.recompute.workspaces import LEAST, single_thread_variants
from fastnn.plan.select import step_of
from fastnn.spec import Spec
from tests.plan.random_problems import UNIT, random_problem
from tests.plan.verify import verify

THREADS = 4


def _with_workspaces(seed):
    """A random problem whose tasks have workspaces, some of which one thread does without."""
    rng = np.random.default_rng(seed)
    problem = random_problem(seed, 5)
    tasks = []
    for task in problem.tasks:
        workspace = int(rng.integers(0, 60))
        spare = int(rng.integers(0, workspace + 1)) if rng.random() < 0.7 else 0
        tasks.append(replace(task, workspace=workspace * UNIT, spare=spare * UNIT,
                             slower=float(rng.uniform(0.1, 1)) if spare else 0.0))
    return Problem(tuple(tasks), problem.sizes, problem.reserved, problem.forward,
                   problem.results)


@pytest.mark.parametrize("seed", range(20))
def test_no_other_steps_reach_a_peak_in_less_time(seed):
    problem = _with_workspaces(seed)
    schedule = problem.everything
    used = Liveness(problem, schedule).used
    spare, slower = problem.tables.spare[:used.size], problem.tables.slower[:used.size]
    every = chain.from_iterable(combinations(range(used.size), k) for k in range(used.size + 1))
    best = pareto(
        Point(int((used - spare * np.isin(np.arange(used.size), steps)).max()),
              problem.seconds(schedule) + sum(slower[list(steps)]), schedule, frozenset(steps))
        for steps in every)
    found = list(single_thread_variants(problem, schedule, math.inf))
    enough = [p for p in best if p.single_threaded and p.bytes <= (1 - LEAST) * used.max()]
    assert len(found) == min(3, len(enough)), f"seed {seed}"
    for peak, seconds, alone in found:
        same = [point for point in enough if point.bytes == peak]
        assert same and seconds == pytest.approx(same[0].seconds), f"seed {seed}"
        assert alone == same[0].single_threaded
    if enough:
        assert found[-1][0] == enough[0].bytes and found[0][0] == enough[-1].bytes
        middle = (found[0][1] + found[-1][1]) / 2
        fast = single_thread_variants(problem, schedule, middle)
        assert all(seconds < middle for _, seconds, _ in fast)


def _step():
    """A net of few values, so that its peaks are workspaces, one for each thread."""
    fn.manual_seed(0)
    model = fn.nn.Sequential(fn.nn.Linear(200, 80), fn.nn.ReLU(), fn.nn.Linear(80, 60),
                             fn.nn.ReLU(), fn.nn.Linear(60, 4))
    return model, fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                               fn.optim.SGD(model.parameters(), lr=0.1))


def _trained(step, model):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((48, 200), np.float32), rng.integers(0, 4, 48)
    losses = [step(x, y) for _ in range(2)]
    return losses, b"".join(value.tobytes() for value in model.state_dict().values())


def test_steps_on_one_thread_take_less_and_leave_the_same_bits(monkeypatch):
    fn.set_num_threads(THREADS)
    monkeypatch.setattr(building, "team_size", lambda graph, threads: threads)
    model, step = _step()
    expected = _trained(step, model)
    whole = step._compiled.plan
    problem = build_problem(whole.graph, whole.steps, fixed_rates(THREADS))
    variants = list(single_thread_variants(problem, problem.everything, math.inf))
    assert variants
    for peak, _, alone in variants:
        with monkeypatch.context() as patch:
            patch.setattr(building.Planner, "whole", property(
                lambda planner, a=alone: planner.lay_out(
                    planner.problem.everything, single_threaded=a)))
            model, step = _step()
            assert _trained(step, model) == expected
        plan = step._compiled.plan
        verify(plan)
        assert plan.single_threaded == alone
        assert plan.layout.arena_bytes < whole.layout.arena_bytes
        assert max(plan.layout.live_bytes(i) for i in range(len(plan.steps))) <= peak
        assert str(plan).count("  one thread") == len(alone)
        for i in alone:
            assert plan.steps[i].workspace_bytes < whole.steps[i].workspace_bytes


def test_a_step_without_calls_has_no_workspace():
    x = leaf("input", 0, Spec((4, 6)))
    step = step_of(fn.reshape(x, (24,)).node, 2)
    assert (step.calls, step.workspace_bytes, step.workspace_of(1)) == ((), 0, 0)

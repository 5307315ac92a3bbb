"""Replays: whatever runs again, losses, gradients, statistics and weights have the same bits."""

import pickle

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan import build as building
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.recompute.frontier import Point
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import Gap, evict, gaps_at, recomputed_at
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.recompute.replay import replay
from fastnn.plan.select import select
from tests.harness import run, same_bits
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import random_graph
from tests.plan.verify import verify


def gaps_around(liveness, step):
    return [Gap(*gap) for gap in np.stack(gaps_at(liveness, step), 1).tolist()]


def random_schedule(problem, rng, edits, start=None):
    """Keep everything (or start elsewhere), then forget random values over random gaps."""
    schedule = problem.everything if start is None else start
    for _ in range(edits):
        liveness = Liveness(problem, schedule)
        gaps = gaps_around(liveness, int(rng.integers(len(schedule))))
        if gaps:
            schedule = evict(liveness, gaps[rng.integers(len(gaps))]).schedule
    return schedule


def _train(name, choose, monkeypatch, steps=2):
    """Losses and state after some steps by the schedule that `choose(problem)` gives."""
    if choose is not None:
        monkeypatch.setattr(building, "frontier", lambda problem: [
            Point(0, 0.0, choose(problem))])
        monkeypatch.setattr(building.Planner, "whole", property(
            lambda planner: planner.lay_out(choose(planner.problem))))
    model = make(name)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(label_smoothing=0.1),
                        fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    losses = [step(*batch_for(name, seed=i)) for i in range(steps)]
    return np.array(losses), [v.copy() for v in model.state_dict().values()], step


def _problem(step):
    graph = fuse(step._compiled.graph)
    return build_problem(graph, select(graph, 1))


def _check(name, schedule, monkeypatch, expected):
    losses, state, step = _train(name, lambda problem: schedule, monkeypatch)
    again = recomputed_at(schedule)
    assert losses.tobytes() == expected[0].tobytes(), f"{name}: losses with {again} again"
    assert same_bits(expected[1], state), f"{name}: state with {again} again"
    verify(step._compiled.plan)
    return step._compiled.plan


@pytest.mark.parametrize("name", NETS)
def test_each_gap_alone(name, monkeypatch):
    expected = _train(name, None, monkeypatch)
    problem = _problem(expected[2])
    liveness = Liveness(problem, problem.everything)
    gaps = {gap for step in range(len(problem.tasks)) for gap in gaps_around(liveness, step)}
    assert len(gaps) > 5
    for gap in sorted(gaps, key=lambda gap: (gap.value, gap.start)):
        schedule = evict(liveness, gap).schedule
        plan = _check(name, schedule, monkeypatch, expected)
        assert len(plan.recomputed) == len(recomputed_at(schedule)) >= 1


@pytest.fixture
def winograd():
    """Convolutions that fuse with the batch norms beside them."""
    fn.set_conv_algorithm("winograd")
    yield
    fn.set_conv_algorithm("auto")


def test_convolutions_with_statistics_run_again_without_them(winograd, monkeypatch):
    expected = _train("residual", None, monkeypatch)
    problem = _problem(expected[2])
    names = [node.op.name for node in fuse(expected[2]._compiled.graph).nodes]
    summing = [i for i, name in enumerate(names) if name.endswith("conv2d_stats")]
    assert len(summing) == 4 and {names[i] for i in summing} > {"conv2d_stats"}
    for number in summing:
        y, mean, var = problem.tasks[number].outputs
        assert problem.tasks[number].recomputed.outputs == (y,)
        assert [problem.recomputable[value] for value in (y, mean, var)] == [True, False, False]
    rng = np.random.default_rng(5)
    for edits in (2, 4, 8, 16, 32, 64):
        schedule = random_schedule(problem, rng, edits)
        plan = _check("residual", schedule, monkeypatch, expected)
        assert not any(name.endswith("stats") for name in plan.recomputed)
    again = {name.partition(":")[2] for name in plan.recomputed}
    assert again >= {"conv2d", "batch_norm_relu_conv2d"}


@pytest.mark.parametrize("name", NETS)
def test_random_schedules(name, monkeypatch):
    expected = _train(name, None, monkeypatch)
    problem = _problem(expected[2])
    rng = np.random.default_rng(5)
    for edits in (2, 4, 8, 16, 32, 64):
        schedule = random_schedule(problem, rng, edits)
        _check(name, schedule, monkeypatch, expected)


@pytest.mark.parametrize("name", NETS)
def test_a_loss_that_is_not_finite_changes_nothing(name, monkeypatch):
    """Whatever runs again, no state has changed when the loss is looked at."""
    problem = _problem(_train(name, None, monkeypatch)[2])
    rng = np.random.default_rng(5)
    for edits in (2, 8, 32):
        schedule = random_schedule(problem, rng, edits)
        assert recomputed_at(schedule)
        _, _, step = _train(name, lambda problem, chosen=schedule: chosen, monkeypatch)
        bias = list(step.model.parameters())[-1]
        usual, bias.data = bias.data.copy(), np.float32([3e38, -3e38, 0, 0])
        before = [value.copy() for value in step.model.state_dict().values()]
        optimizer = pickle.dumps(step.optimizer.state_dict())
        x, _ = batch_for(name)
        with pytest.raises(fn.NonFiniteError):
            step(x, np.ones(len(x), int))
        assert same_bits(before, list(step.model.state_dict().values()))
        assert pickle.dumps(step.optimizer.state_dict()) == optimizer
        bias.data = usual
        assert np.isfinite(step(*batch_for(name)))


@pytest.mark.parametrize("seed", range(200, 220))
def test_random_graphs(seed):
    graph, arrays = random_graph(seed)
    expected = run(graph, arrays)
    fused = fuse(graph)
    problem = build_problem(fused, select(fused, 1))
    rng = np.random.default_rng(seed)
    for edits in (3, 10, 40):
        again = replay(fused, problem, random_schedule(problem, rng, edits))
        assert same_bits(expected, run(again, arrays, fused=False))


def test_statistics_and_user_functions_run_once():
    calls = []

    class Count(fn.Function):
        @staticmethod
        def forward(ctx, x):
            calls.append(1)
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy * 2

    x = fn.graph.leaf("input", 0, fn.graph.Spec((4, 3)))
    loss = fn.tanh(fn.tanh(Count.apply(fn.tanh(x)))).sum()
    graph = fn.graph.Graph.trace([x], fn.autodiff.gradients(loss, [x]), (), [loss])
    problem = build_problem(graph, select(graph, 1))
    schedule = random_schedule(problem, np.random.default_rng(0), 30)
    assert recomputed_at(schedule)
    run(replay(graph, problem, schedule), [np.ones((4, 3), np.float32)], fused=False)
    assert len(calls) == 1
    model = make("residual")
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    nodes = [node for node in fuse(step.plan((64, 2, 8, 8)).graph).nodes]
    problem = build_problem(step.plan((64, 2, 8, 8)).graph, step.plan((64, 2, 8, 8)).steps)
    statistics = [task for task, node in zip(problem.tasks, nodes, strict=True)
                  if node.op.name == "batch_norm_stats"]
    assert len(statistics) == 4 and not any(task.recomputable for task in statistics)


@pytest.mark.parametrize("seed", range(4))
def test_a_replay_knows_where_its_backward_pass_begins(seed):
    graph = fuse(random_graph(seed)[0])
    problem = build_problem(graph, select(graph, 1))
    schedule = random_schedule(problem, np.random.default_rng(seed), 12)
    first = next(i for i, number in enumerate(schedule) if number >= problem.forward)
    assert replay(graph, problem, schedule).forward_nodes == first

"""Recomputation: whatever is forgotten, losses, gradients and statistics have the same bits."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan import build as building
from fastnn.plan.fuse import fuse
from fastnn.plan.recompute import _droppable, candidates, drop
from tests.harness import run, same_bits
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import random_graph
from tests.plan.verify import verify


def _train(name, choose, monkeypatch, steps=2):
    """Losses and state after some steps with the values that `choose(graph)` gives forgotten."""
    chosen = []

    def one(graph):
        chosen.append(choose(graph))
        yield chosen[-1]

    monkeypatch.setattr(building, "candidates", one)
    model = make(name)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(label_smoothing=0.1),
                        fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    losses = [step(*batch_for(name, seed=i)) for i in range(steps)]
    return np.array(losses), [v.copy() for v in model.state_dict().values()], step, chosen[0]


def _check(name, choose, monkeypatch, expected):
    losses, state, step, chosen = _train(name, choose, monkeypatch)
    label = [f"{t.node.scope}:{t.node.op.name}" for t in chosen]
    assert losses.tobytes() == expected[0].tobytes(), f"{name}: losses without {label}"
    assert same_bits(expected[1], state), f"{name}: state without {label}"
    verify(step._compiled.plan)
    return step._compiled.plan


@pytest.mark.parametrize("name", NETS)
def test_each_value_alone(name, monkeypatch):
    expected = _train(name, lambda graph: set(), monkeypatch)
    graph = fuse(expected[2]._compiled.graph)
    count = len(_droppable(graph))
    assert count > 5
    for number in range(count):
        plan = _check(name, lambda g, k=number: {_droppable(g)[k]}, monkeypatch, expected)
        assert len(plan.recomputed) == 1


@pytest.mark.parametrize("name", NETS)
def test_all_candidates_and_random_sets(name, monkeypatch):
    expected = _train(name, lambda graph: set(), monkeypatch)
    count = len(list(candidates(fuse(expected[2]._compiled.graph))))
    for number in range(count):
        _check(name, lambda g, k=number: list(candidates(g))[k], monkeypatch, expected)
    rng = np.random.default_rng(5)
    for _ in range(6):
        share = rng.uniform(0.2, 0.9)
        _check(name, lambda g, s=share: {t for t in _droppable(g) if rng.random() < s},
               monkeypatch, expected)
    _check(name, lambda g: set(_droppable(g)), monkeypatch, expected)


@pytest.mark.parametrize("seed", range(200, 220))
def test_random_graphs(seed):
    graph, arrays = random_graph(seed)
    expected = run(graph, arrays)
    fused = fuse(graph)
    rng = np.random.default_rng(seed)
    for share in (0.3, 0.6, 1.0):
        dropped = {t for t in _droppable(fused) if rng.random() < share}
        assert same_bits(expected, run(drop(fused, dropped), arrays, fused=False))


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
    run(drop(graph, set(_droppable(graph))), [np.ones((4, 3), np.float32)])
    assert len(calls) == 1


def test_recomputing_needs_less_memory():
    model = make("residual")
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    shape = (64, 2, 8, 8)
    plan = step.plan(shape)
    assert plan.recomputed == ()
    assert building.smallest_arena(fuse(step._cache._last[1].graph), plan.threads) < (
        0.9 * plan.layout.arena_bytes)

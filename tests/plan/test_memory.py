"""Memory layouts: nothing live is written over; no value is read before it is written."""

from itertools import pairwise

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan.memory import layout as memory
from fastnn.runtime.arena import ALIGNMENT, PAGE, STAGGERED
from tests.cases import CASES
from tests.harness import executor_of, make_plan, poison, run, same_bits, trace_case
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import random_graph
from tests.plan.verify import verify


@pytest.mark.parametrize("fused", [True, False])
def test_layouts_of_all_cases(fused):
    for case in CASES:
        for gradient in (True, False):
            verify(make_plan(trace_case(case, gradient).graph, fused=fused))


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed, monkeypatch):
    graph, arrays = random_graph(seed)
    for fused in (True, False):
        verify(make_plan(graph, fused=fused))
    expected = run(graph, arrays, fused=False)
    assert same_bits(expected, run(graph, arrays)), "fused"
    monkeypatch.setattr(memory, "_overwritten", lambda *args: None)
    assert same_bits(expected, run(graph, arrays, fused=False)), "nothing in place"


@pytest.mark.parametrize("name", NETS)
def test_plans_of_training_steps(name):
    model = make(name)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    verify(step.plan(batch_for(name)[0].shape))
    verify(step.plan(batch_for(name, 3)[0].shape))


def test_a_replay_never_reads_what_the_last_run_left():
    graph, arrays = random_graph(7, length=30)
    executor = executor_of(plan := make_plan(graph))
    executor.bind(arrays)
    results = []
    for _ in range(3):
        executor.compute()
        results.append([executor.read(tensor) for tensor in plan.graph.outputs])
        poison(executor)
    assert same_bits(results[0], results[1]) and same_bits(results[0], results[2])


@pytest.mark.parametrize("name", NETS)
def test_poisoned_training_steps_give_the_same_bits(name):
    def train(poisoned):
        model = make(name)
        step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                            fn.optim.Adam(model.parameters(), lr=0.01))
        x, y = batch_for(name)
        losses = []
        for _ in range(3):
            losses.append(step(x, y))
            if poisoned:
                poison(step._compiled.executor)
        return losses, [value.copy() for value in model.state_dict().values()]

    plain, dirty = train(False), train(True)
    assert plain[0] == dirty[0]
    assert same_bits(plain[1], dirty[1])


def test_chains_run_in_place():
    x = fn.graph.leaf("input", 0, fn.graph.Spec((1000,)))
    y = x * 2
    for _ in range(10):
        y = fn.tanh(y + 1)
    graph = fn.graph.Graph.trace([x], [y], (), [y])
    assert make_plan(graph).layout.arena_bytes <= 4096
    verify(make_plan(graph))


def test_sharing_beats_the_sum_of_all_values():
    model = make("residual")
    plan = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters())
                        ).plan(batch_for("residual")[0].shape)
    everything = sum(t.bytes for node in plan.graph.nodes for t in node.outputs)
    everything += sum(step.workspace_bytes for step in plan.steps)
    most = max(plan.layout.live_bytes(i) for i in range(len(plan.steps)))
    assert most <= plan.layout.arena_bytes < 0.6 * everything
    assert plan.layout.arena_bytes <= 1.3 * most + 64 * len(plan.steps)


def test_first_fit_of_random_lifetimes():
    rng = np.random.default_rng(3)
    for _ in range(30):
        storages = []
        for _ in range(40):
            first = int(rng.integers(50))
            storages.append(memory.Storage(int(rng.integers(1, 3000)), first,
                                           first + int(rng.integers(12))))
        total = memory.place(storages)
        for i, a in enumerate(storages):
            assert a.offset % 64 == 0 and a.offset + a.bytes <= total
            for b in storages[:i]:
                together = a.first <= b.last and b.first <= a.last
                apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
                assert apart or not together


def test_large_buffers_begin_at_different_places_of_a_page():
    model = fn.models.create("lenet", 10, 1, (28, 28))
    plan = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters())
                        ).plan((64, 1, 28, 28))
    verify(plan)
    stores = {id(s): s for s in (*plan.layout.storages.values(), *plan.layout.workspaces.values())}
    large = [s for s in stores.values() if s.bytes >= STAGGERED]
    assert len(large) > 10
    assert len({s.offset % PAGE for s in large}) == min(len(large), PAGE // ALIGNMENT)
    near = [(a.offset - b.offset) % PAGE for a in large for b in large
            if a is not b and abs(a.first - b.first) <= 1]
    assert min(near) >= 4 * ALIGNMENT and PAGE - max(near) >= 4 * ALIGNMENT
    most = max(plan.layout.live_bytes(i) for i in range(len(plan.steps)))
    assert plan.layout.arena_bytes <= 1.3 * most


def test_equal_sizes_waste_no_more_than_a_page_each():
    chain = [memory.Storage(1 << 20, i, i + 1) for i in range(100)]
    assert memory.place(chain) <= 2 * ((1 << 20) + PAGE)
    assert all(abs(a.offset - b.offset) >= 1 << 20 for a, b in pairwise(chain))

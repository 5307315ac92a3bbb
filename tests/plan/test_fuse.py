"""Fusion: each rewrite gives the same bits as the graph without it, and happens where it should."""

import pytest

import fastnn as fn
from fastnn.graph import Graph
from fastnn.plan.fuse import REWRITES, fuse
from tests.cases import CASES
from tests.harness import run, same_bits, trace_case
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import _weight, random_graph


@pytest.mark.parametrize("rewrite", REWRITES, ids=lambda rewrite: rewrite.__name__)
def test_each_rewrite_keeps_all_bits(rewrite):
    for case in CASES:
        traced = trace_case(case)
        after = rewrite(traced.graph)
        if [n.op for n in after.nodes] != [n.op for n in traced.graph.nodes]:
            before = run(traced.graph, traced.arrays, fused=False)
            assert same_bits(before, run(after, traced.arrays, fused=False)), case.name
    for seed in range(100, 130):
        graph, arrays = random_graph(seed)
        before = run(graph, arrays, fused=False)
        assert same_bits(before, run(rewrite(graph), arrays, fused=False)), f"seed {seed}"


def _names(name, training=True):
    model = make(name).train(training)
    x, _ = batch_for(name)
    if not training:
        model(x)
        return [step.node.op.name for step in _last_plan(model).steps]
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    return [s.node.op.name for s in step.plan(x.shape).steps]


def _last_plan(model):
    from fastnn.step import _cache_of

    return _cache_of(model)._last[1].plan


def test_rewrites_happen():
    names = _names("residual")
    assert names.count("batch_norm_relu") == names.count("batch_norm_relu_backward") == 2
    assert names.count("batch_norm_add_relu") == 2
    assert names.count("add_n_relu_backward") == 1
    assert names.count("conv2d_relu") == 1
    assert "linear_relu" in _names("mlp")


@pytest.mark.parametrize("name", NETS)
def test_no_places_are_stored_where_no_gradient_is(name):
    names = _names(name, training=False)
    assert "max_pool2d" not in names
    assert ("max_pool2d_infer" in names) == (name != "mlp")


def _graph(build, rng):
    x = fn.graph.leaf("input", 0, fn.graph.Spec((2, 3, 4, 5)))
    outputs = build(x)
    return Graph.trace([x], outputs, (), outputs)


@pytest.mark.parametrize("build", [
    lambda x, w: (lambda y: [fn.relu(y), y])(fn.conv2d(x, w)),
    lambda x, w: (lambda y: [fn.relu(y) + fn.tanh(y)])(fn.conv2d(x, w)),
    lambda x, w: (lambda y: [fn.relu(y), fn.relu(y)])(fn.conv2d(x, w)),
], ids=["output", "another reader", "two relus"])
def test_a_value_that_others_read_is_not_fused_away(build):
    import numpy as np

    rng = np.random.default_rng(0)
    weight = _weight(rng, 4, 3, 3, 3)
    graph = _graph(lambda x: build(x, weight), rng)
    assert [n.op for n in fuse(graph).nodes] == [n.op for n in graph.nodes]

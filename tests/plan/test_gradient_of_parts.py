"""Gradients of parts that cover a tensor are concatenated, not added."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.graph import Graph, leaf
from fastnn.ops.add_n import AddN
from fastnn.ops.concat import Concat
from fastnn.ops.slice import SliceGrad
from fastnn.plan.fusion.parts import gradient_of_parts
from fastnn.spec import Spec
from tests.harness import run

SHAPE = (6, 8, 5)


def _weighed(parts):
    return sum(((k + 2.0) * part.exp().sum() for k, part in enumerate(parts)), 0.0)


COVERING = {
    "split": lambda x: _weighed(x.split(2, 1)),
    "unbind": lambda x: _weighed(x.unbind(0)),
    "in another order": lambda x: _weighed([x[:, :, 3:], x[:, :, 1:3], x[:, :, :1]]),
}
OTHERS = {
    "with a gap": lambda x: _weighed([x[:2], x[3:]]),
    "one place twice": lambda x: _weighed([x[:3], x[2:]]),
    "of two axes": lambda x: _weighed([x[:3], x[:, 3:]]),
    "with steps": lambda x: _weighed([x[::2], x[1::2]]),
    "and the whole": lambda x: _weighed([x[:3], x]),
}


def _graphs(function):
    x = leaf("input", 0, Spec(SHAPE))
    graph = Graph.trace([x], gradients(function(x), [x]))
    return graph, gradient_of_parts(graph)


def _ops(graph):
    return [type(node.op) for node in graph.nodes]


@pytest.mark.parametrize("name", [*COVERING, *OTHERS])
def test_same_values(name):
    array = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    before, after = _graphs({**COVERING, **OTHERS}[name])
    (expected,), (got,) = (run(graph, [array], fused=False) for graph in (before, after))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", COVERING)
def test_parts_that_cover_an_axis(name):
    before, after = _graphs(COVERING[name])
    assert SliceGrad in _ops(before) and AddN in _ops(before)
    assert SliceGrad not in _ops(after) and AddN not in _ops(after)
    assert _ops(after).count(Concat) == 1


@pytest.mark.parametrize("name", OTHERS)
def test_parts_that_do_not(name):
    before, after = _graphs(OTHERS[name])
    assert _ops(after) == _ops(before)


def test_a_sum_that_others_read_stays():
    x = leaf("input", 0, Spec(SHAPE))
    dx, = gradients(_weighed(x.split(3)), [x])
    graph = gradient_of_parts(Graph.trace([x], [dx, fn.relu(dx)]))
    array = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    first, second = run(graph, [array])
    np.testing.assert_array_equal(np.maximum(first, 0), second)

"""What may run again: by size of what it makes and reads, by kind, and by who reads it."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.graph import Graph, constant, leaf
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.select import select
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.plan.random_problems import random_problem


def _may_run_again(build, shape, result=False):
    """Whether the last value of `build(tanh(x))`, in front of another tanh and a sum, may."""
    x = leaf("input", 0, Spec(shape))
    value = build(fn.tanh(x))
    loss = fn.tanh(value).sum()
    results = [loss, *([value] if result else []), *gradients(loss, [x])]
    graph = Graph.trace([x], results, (), [loss])
    problem = build_problem(graph, select(graph, 1))
    made = [tensor for node in graph.nodes for tensor in node.outputs]
    return dict(zip(made, problem.recomputable, strict=True))[value]


@pytest.mark.parametrize("build, shape, expected", [
    (fn.tanh, (4, 8), True),
    (lambda z: z.sum(1, keepdim=True), (32, 16), True),  # a sixteenth of what it reads
    (lambda z: z.sum(1, keepdim=True), (32, 17), False),  # less than that
    (lambda z: fn.linear(z, constant(np.ones((1, 64), np.float32))), (4, 64), False),
    (lambda z: fn.linear(z, constant(np.ones((4, 64), np.float32))), (1, 64), True),
    (lambda z: fn.linear(z, constant(np.ones((64, 8), np.float32))), (1, 8), True),
    (lambda z: fn.dropout(z, 0.5), (4, 8), True),
    (lambda z: fn.plan.keep(fn.tanh(z)), (4, 8), False),
    (lambda z: fn.plan.drop(z.sum(1, keepdim=True)), (32, 17), True),
], ids=["pointwise", "sixteenth", "seventeenth", "64th", "16th of the batch", "large weight",
        "dropout", "kept", "dropped"])
def test_what_may_run_again(build, shape, expected):
    """What comes from outside, as weights do, is held in any case and does not count."""
    with streams():
        assert _may_run_again(build, shape) == expected


def test_a_result_is_made_once():
    assert _may_run_again(fn.tanh, (4, 8)) and not _may_run_again(fn.tanh, (4, 8), result=True)


@pytest.mark.parametrize("seed", range(4))
def test_the_tables_know_who_makes_each_value(seed):
    """By first runs: a recomputation is no other producer."""
    problem = random_problem(seed)
    assert problem.tables.producer.tolist() == list(problem.producer)

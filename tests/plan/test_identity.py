"""Every plan of a frontier leaves the same bits: weights, running statistics, gradients."""

import hashlib

import numpy as np
import pytest

import fastnn as fn
from fastnn.plan import build as building
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.recompute.frontier import frontier
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.select import select
from tests.nets import NETS, batch_for, make
from tests.plan.verify import verify

STEPS, BATCH = 3, 96  # at every level each net then has more than three plans


def _train(name, threads=1):
    """SHA-256 of all state after some steps, and the step.

    The momentum of plain SGD's first step is the gradient, later ones sums of gradients.
    """
    fn.set_num_threads(threads)
    model = make(name)
    optimizer = fn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    digest = hashlib.sha256()
    for number in range(STEPS):
        digest.update(np.float64(step(*batch_for(name, BATCH, number))))
        for value in model.state_dict().values():
            digest.update(np.ascontiguousarray(value))
        for parameter in model.parameters():
            for value in optimizer.state[id(parameter)].values():
                digest.update(np.ascontiguousarray(value))
    return digest.hexdigest(), step


@pytest.mark.parametrize("name", NETS)
def test_the_same_hash_for_every_plan(name, monkeypatch):
    expected, step = _train(name)
    graph = fuse(step._compiled.graph)
    points = frontier(build_problem(graph, select(graph, 1)))
    assert len(points) > 3
    for number, point in enumerate(points):
        with monkeypatch.context() as patch:
            patch.setattr(building.Planner, "whole", property(
                lambda planner, s=point.schedule: planner.lay_out(s)))
            found, step = _train(name, threads=1 + number % 2)
        assert found == expected, f"{name} with {step._compiled.plan.recomputed} again"
        verify(step._compiled.plan)
    assert len(step._compiled.plan.recomputed) < len(set(points[0].schedule))

"""A budget gets the fastest schedule that fits it, and what it costs is what the frontier says."""

import pytest

import fastnn as fn
from fastnn.plan.build import Planner
from fastnn.plan.cost.predict import fixed_rates
from fastnn.plan.fusion.fuse import fuse
from tests.nets import NETS, batch_for, make


@pytest.fixture(params=NETS)
def planner(request):
    """Of the training step of a net, with one thread."""
    model = make(request.param)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    x, y = batch_for(request.param, 64)
    step(x, y)
    return Planner(fuse(step._compiled.graph), 1)


def _seconds(planned):
    return fixed_rates(1).seconds(planned.graph.nodes)


def test_a_budget_gets_the_fastest_schedule_that_fits(planner):
    """At each size of the frontier, and one byte below it."""
    packed = planner.packed()
    assert len(packed) >= 3
    sizes, times = zip(*packed, strict=True)
    assert list(sizes) == sorted(set(sizes)) and list(times) == sorted(set(times), reverse=True)
    for i, size in enumerate(sizes):
        planned = planner.fastest(size)
        assert planned.layout.arena_bytes <= size and _seconds(planned) <= times[i]
        below = planner.fastest(size - 1)
        if i == 0:
            assert below is None
        else:
            assert below.layout.arena_bytes < size and _seconds(below) <= times[i - 1]


def test_no_schedule_is_faster_than_the_one_that_keeps_everything(planner):
    (size, seconds), *_ = reversed(planner.packed())
    assert planner.whole.recomputed_steps == ()
    assert size <= planner.whole.layout.arena_bytes
    assert seconds == pytest.approx(_seconds(planner.whole), rel=1e-9)


def test_the_smallest_arena_is_the_frontiers_first(planner):
    assert planner.smallest_arena == planner.packed()[0][0]
    assert planner.fastest(planner.smallest_arena) is not None
    assert planner.fastest(planner.smallest_arena - 64) is None


class Room:
    """What is left for an arena when asked the first time, the second, ...; then the last."""

    def __init__(self, *sizes):
        self.sizes = list(sizes)

    def __call__(self):
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]


def test_room_that_shrinks_while_a_plan_is_made(planner):
    """The plan fits what is left in the end; where nothing does there is none."""
    least, most = planner.packed()[0][0], planner.whole.layout.arena_bytes
    assert planner.fitting(Room(most)) is planner.whole
    spare = planner.object_bytes
    for sizes in ((most - 1, most + spare, least), (most - 1, most + spare, most - 64, least),
                  (most - 1, most + spare, least, least), (most - 1, least - 64, least)):
        planned = planner.fitting(Room(*sizes))
        assert planned is not None and planned.layout.arena_bytes == least
    for sizes in ((least - 1,), (most - 1, most, least - 1)):
        assert planner.fitting(Room(*sizes)) is None

"""SequentialLR and ChainedScheduler, in each other: rates, states, and what they refuse."""

import json
import math
from itertools import count
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def sgd(lr: float = 1.0) -> optim.SGD:
    return optim.SGD([nn.Parameter(np.zeros(2))], lr=lr, momentum=0.9)


def rates(optimizer: optim.Optimizer, schedule: Any, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(optimizer.lr)
        schedule.step()
    return found


def turns_of_a_chain(o: Any) -> Any:
    """A chain first, where PyTorch makes a step too many, and last, where it has no rate."""
    return optim.SequentialLR(o, [
        optim.ChainedScheduler([optim.LinearLR(o, 0.5, 1, 2), optim.ExponentialLR(o, 0.5)]),
        optim.ConstantLR(o, 0.25, 1),
        optim.ChainedScheduler([optim.ConstantLR(o, 0.5, 2), optim.ExponentialLR(o, 0.9)])], [3, 5])


def turns_of_turns(o: Any) -> Any:
    """A sequence first, whose milestones PyTorch shifts by one, and last, where it has no rate."""
    def inner(gamma: float) -> Any:
        return optim.SequentialLR(o, [optim.LinearLR(o, 0.5, total_iters=2),
                                      optim.ExponentialLR(o, gamma)], [2])
    return optim.SequentialLR(o, [inner(0.5), inner(0.1)], [4])


NESTED = {
    turns_of_a_chain: [0.5, 0.375, 0.25, 0.25, 1.0, 0.5, 0.45, 0.81, 0.729],
    turns_of_turns: [0.5, 0.75, 1.0, 0.5, 0.5, 0.75, 1.0, 0.1, 0.01],
    lambda o: optim.SequentialLR(o, [
        optim.StepLR(o, 1, 0.5), optim.swa_utils.SWALR(o, 0.5, 2, "linear")], [3]):
        [1, 0.5, 0.25, 0.25, 0.375, 0.5, 0.5],
}


@pytest.mark.parametrize("make", NESTED)
def test_nested(make: Any) -> None:
    optimizer = sgd()
    schedule = make(optimizer)
    expected = NESTED[make]
    for _ in range(2):
        assert rates(optimizer, schedule, len(expected)) == pytest.approx(expected, rel=1e-12)
        schedule.restart()


@pytest.mark.parametrize("make", NESTED)
@pytest.mark.parametrize("steps", [0, 1, 3, 4, 6])
def test_a_nested_state_goes_on_with_the_same_rates(make: Any, steps: int) -> None:
    """To the bit, in an optimizer that began with another rate, after a way through JSON."""
    first, second = sgd(0.7), sgd(0.3)
    schedule, again = make(first), make(second)
    rates(first, schedule, steps)
    first.lr *= 0.9  # by hand
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    assert rates(second, again, 8) == rates(first, schedule, 8)


@pytest.mark.parametrize("make", NESTED)
def test_by_times_as_by_steps(make: Any) -> None:
    """As a Trainer does, with a time that stands still and jumps."""
    first, second = sgd(), sgd()
    schedule, again = make(first), make(second)
    expected = rates(first, schedule, 9)
    found = []
    for time in range(9):
        again.step(time)
        again.step(time)
        found.append(second.lr)
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_part_that_counts_batches_makes_all_count_them() -> None:
    optimizer = sgd()
    by_batch = optim.CyclicLR(optimizer, 0.1, 0.2, 3)
    chain = optim.ChainedScheduler([by_batch, optim.StepLR(optimizer, 2)])
    assert chain.unit == "batch"
    turns = optim.SequentialLR(optimizer, [optim.ConstantLR(optimizer), chain], [3])
    assert turns.unit == "batch"
    assert optim.ChainedScheduler([optim.StepLR(optimizer, 2)]).unit == "epoch"


def test_where_it_ends() -> None:
    optimizer = sgd()

    def cycle(total: int) -> Any:
        return optim.OneCycleLR(optimizer, 0.1, total)

    assert optim.ChainedScheduler([cycle(5), cycle(3)]).end == 3
    assert optim.SequentialLR(optimizer, [optim.StepLR(optimizer, 1), cycle(3)], [4]).end == 7
    assert optim.SequentialLR(optimizer, [cycle(3), optim.StepLR(optimizer, 1)], [4]).end == 3
    whole = optim.SequentialLR(optimizer, [cycle(4), optim.StepLR(optimizer, 1)], [4])
    assert whole.end == math.inf
    with pytest.raises(ValueError, match="OneCycleLR ends after 3 steps, got step 4"):
        rates(optimizer, optim.ChainedScheduler([cycle(3)]), 5)


def chained(*parts: Any) -> Any:
    return optim.ChainedScheduler(list(parts))


def contains_itself(o: Any) -> Any:
    schedule = optim.SequentialLR(o, [optim.StepLR(o, 1), optim.StepLR(o, 1)], [1])
    schedule.__init__(o, [schedule, optim.StepLR(o, 1)], [1])  # type: ignore[misc]
    return schedule


def twice(o: Any) -> Any:
    part = optim.StepLR(o, 1)
    return chained(part, chained(part))


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda o: chained(), ValueError, "ChainedScheduler needs at least one schedule"),
    (lambda o: optim.SequentialLR(o, [], []), ValueError, "rising milestones"),
    (lambda o: chained("step"), TypeError, "ChainedScheduler takes schedules, got 'step'"),
    (lambda o: optim.ChainedScheduler(optim.StepLR(o, 1)), TypeError, "must be of class list"),
    (lambda o: chained(optim.ReduceLROnPlateau(o)), ValueError, "takes no ReduceLROnPlateau"),
    (lambda o: chained(optim.StepLR(o, 1), optim.StepLR(sgd(), 1)), ValueError,
     "schedules of one optimizer"),
    (lambda o: optim.SequentialLR(sgd(), [optim.StepLR(o, 1)], []), ValueError, "one optimizer"),
    (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)] * 2, [3]), ValueError, "twice"),
    (twice, ValueError, "ChainedScheduler got a schedule twice"),
    (contains_itself, ValueError, "this SequentialLR is a part of itself"),
    *((lambda o, given=given: optim.SequentialLR(
        o, [optim.StepLR(o, 1) for _ in range(3)], given), ValueError, "2 rising milestones")
      for given in ([5, 2], [2, 2], [2], [1, 2, 3])),
    (lambda o: optim.SequentialLR(o, [optim.StepLR(o, 1)], count()), ValueError, "never ends"),
    (lambda o: optim.MultiStepLR(o, count(1)), ValueError, "never ends"),
    (lambda o: optim.MultiStepLR(o, [1, math.inf]), ValueError, "a milestone must be a number"),
    (lambda o: optim.MultiStepLR(o, [-1]), ValueError, "a number from 0 on"),
    (lambda o: optim.MultiStepLR(o, "12"), TypeError, "milestones must be a list"),
    (lambda o: optim.MultiStepLR(o, np.ones((2, 2))), ValueError, "one axis")])
def test_what_cannot_be(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(sgd())


def test_milestones_of_all_kinds() -> None:
    for given in ([2, 4], (4, 2), range(2, 5, 2), np.array([2, 4]), {2, 4}, iter([2, 4])):
        assert optim.MultiStepLR(sgd(), given).milestones == [2, 4]


def test_a_wrong_state_of_a_part_changes_nothing() -> None:
    optimizer = sgd()
    schedule = turns_of_a_chain(optimizer)
    schedule.step()
    before = schedule.state_dict()
    wrong = json.loads(json.dumps(before))
    wrong["schedulers"][0]["schedulers"][1]["rates"] = [math.nan]
    short = json.loads(json.dumps(before))
    short["schedulers"][2]["schedulers"].pop()
    for state in (wrong, short):
        with pytest.raises(ValueError, match="schedule"):
            schedule.load_state_dict(state)
        assert schedule.state_dict() == before

"""Schedules: their rates in numbers, several on one optimizer, state, and fractions of an epoch.

tests/parity/test_schedules.py has PyTorch's beside them.
"""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def sgd(lr: float = 0.5) -> optim.SGD:
    return optim.SGD([nn.Parameter(np.zeros(2))], lr=lr, momentum=0.9)


def rates(optimizer: optim.Optimizer, *schedules: Any, steps: int) -> list[float]:
    """The learning rate before each of so many steps of all schedules."""
    found = []
    for _ in range(steps):
        found.append(optimizer.lr)
        for schedule in schedules:
            schedule.step()
    return found


CASES: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "step": (lambda o: optim.StepLR(o, step_size=3, gamma=0.5),
             [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]),
    "multi step": (lambda o: optim.MultiStepLR(o, [6, 2], gamma=0.1),
                   [1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]),
    "exponential": (lambda o: optim.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
    "inverse time": (lambda o: optim.InverseTimeLR(o, 0.5), [1, 1 / 1.5, 0.5, 1 / 2.5, 1 / 3]),
    "linear": (lambda o: optim.LinearLR(o, 0.2, 0.8, total_iters=4),
               [0.2, 0.35, 0.5, 0.65, 0.8, 0.8]),
    "linear to zero": (lambda o: optim.LinearLR(o, 1.0, 0.0, total_iters=2), [1, 0.5, 0, 0, 0]),
    "cosine": (lambda o: optim.CosineAnnealingLR(o, 4, eta_min=0.2),
               [1, 0.6 + math.sqrt(0.08), 0.6, 0.6 - math.sqrt(0.08), 0.2, 0.6 - math.sqrt(0.08),
                0.6]),
    "one cycle": (lambda o: optim.OneCycleLR(o, 0.8, total_steps=10, pct_start=0.5, div_factor=8,
                                             final_div_factor=10, anneal_strategy="linear"),
                  [0.1, 0.275, 0.45, 0.625, 0.8, 0.642, 0.484, 0.326, 0.168, 0.01]),
    "one cycle, cosine": (lambda o: optim.OneCycleLR(o, 0.8, total_steps=8, pct_start=0.375,
                                                     div_factor=4, final_div_factor=1),
                          [0.2, 0.5, 0.8, 0.5 + 0.3 * math.cos(math.pi / 5),
                           0.5 + 0.3 * math.cos(2 * math.pi / 5)]),
    "one cycle, up at once": (
        lambda o: optim.OneCycleLR(o, 0.8, total_steps=4, pct_start=0.5, div_factor=8,
                                   final_div_factor=1, anneal_strategy="linear"),
        [0.1, 0.8, 0.45, 0.1]),
    "constant": (lambda o: optim.ConstantLR(o, 0.25, total_iters=3), [0.25, 0.25, 0.25, 1, 1]),
    "polynomial": (lambda o: optim.PolynomialLR(o, 4, power=2.0), [1, 0.5625, 0.25, 0.0625, 0, 0]),
    "multiplicative": (lambda o: optim.MultiplicativeLR(o, lambda epoch: 1 / epoch),
                       [1, 1, 1 / 2, 1 / 6, 1 / 24]),
    "restarts": (lambda o: optim.CosineAnnealingWarmRestarts(o, 2, T_mult=2, eta_min=0.2),
                 [1, 0.6, 1, 0.6 + math.sqrt(0.08), 0.6, 0.6 - math.sqrt(0.08), 1]),
    "triangles": (lambda o: optim.CyclicLR(o, 0.2, 0.6, 2, 4, mode="triangular2"),
                  [0.2, 0.4, 0.6, 0.5, 0.4, 0.3, 0.2, 0.3, 0.4, 0.35]),
    "averages": (lambda o: optim.swa_utils.SWALR(o, 0.6, 4),
                 [1, 0.8 + math.sqrt(0.02), 0.8, 0.8 - math.sqrt(0.02), 0.6, 0.6]),
    "chain": (lambda o: optim.ChainedScheduler([optim.LinearLR(o, 0.5, total_iters=2),
                                                optim.ExponentialLR(o, 0.5)]),
              [0.5, 0.375, 0.25, 0.125]),
    "lambda": (lambda o: optim.LambdaLR(o, lambda epoch: 1 / (1 + epoch)), [1, 0.5, 1 / 3, 0.25]),
    "warm-up, then a cosine": (
        lambda o: optim.SequentialLR(o, [optim.LinearLR(o, 0.5, total_iters=4),
                                         optim.CosineAnnealingLR(o, 3)], [2]),
        [0.5, 0.625, 1.0, 0.75, 0.25, 0.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_rates(name: str) -> None:
    make, expected = CASES[name]
    optimizer = sgd(1.0)
    found = rates(optimizer, make(optimizer), steps=len(expected))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_one_cycle_moves_momentum_the_other_way() -> None:
    optimizer = sgd()
    schedule = optim.OneCycleLR(optimizer, 0.8, total_steps=10, pct_start=0.5,
                                anneal_strategy="linear")
    found = []
    for _ in range(10):
        found.append(optimizer.param_groups[0]["momentum"])
        schedule.step()
    assert found == pytest.approx([0.95, 0.925, 0.9, 0.875, 0.85, 0.87, 0.89, 0.91, 0.93, 0.95])


def test_one_cycle_sets_the_base_rate_of_schedules_made_later() -> None:
    """Its own first one, whatever the optimizer had, as PyTorch's `initial_lr`."""
    optimizer = sgd(3.0)
    schedule = optim.OneCycleLR(optimizer, 0.8, total_steps=10, div_factor=8)
    assert schedule.base_lrs == [0.1] and optimizer.param_groups[0]["initial_lr"] == 0.1
    assert optim.ExponentialLR(optimizer, 0.5).base_lrs == [0.1]


def test_two_on_one_optimizer_multiply() -> None:
    optimizer = sgd(1.0)
    both = optim.LinearLR(optimizer, 0.1, total_iters=4), optim.ExponentialLR(optimizer, 0.9)
    assert rates(optimizer, *both, steps=4) == pytest.approx([0.1, 0.2925, 0.4455, 0.564975])
    assert both[1].base_lrs == [1.0]  # not what the first schedule made of it


def test_one_that_does_not_move_keeps_what_the_other_did() -> None:
    optimizer = sgd(1.0)
    both = optim.StepLR(optimizer, 3, 0.1), optim.LinearLR(optimizer, 0.5, total_iters=2)
    assert rates(optimizer, *both, steps=6) == pytest.approx([0.5, 0.75, 1, 0.1, 0.1, 0.1])


def test_a_cosine_that_comes_back_from_zero_begins_with_the_base_rate() -> None:
    optimizer = sgd(1.0)
    both = optim.CosineAnnealingLR(optimizer, 2), optim.ExponentialLR(optimizer, 0.5)
    expected = [1, 0.5 * 0.5, 0, 0.5 * 0.5, 0.25 * 2 * 0.5]
    assert rates(optimizer, *both, steps=5) == pytest.approx(expected, abs=1e-15)


def test_a_rate_that_is_set_in_between_is_multiplied() -> None:
    optimizer = sgd(1.0)
    schedule = optim.ExponentialLR(optimizer, 0.5)
    assert rates(optimizer, schedule, steps=2) == [1.0, 0.5]
    optimizer.lr = 0.8
    assert rates(optimizer, schedule, steps=3) == [0.8, 0.4, 0.2]


def test_many_steps_round_no_more_than_one() -> None:
    optimizer = sgd(0.1)
    warmup = optim.LinearLR(optimizer, 0.001, total_iters=999)
    rates(optimizer, warmup, steps=999)
    assert optimizer.lr == 0.1


def test_fractions_count_only_where_the_rate_is_smooth() -> None:
    for kind, options, moves in ((optim.CosineAnnealingLR, dict(T_max=4), True),
                                 (optim.StepLR, dict(step_size=1), False),
                                 (optim.ExponentialLR, dict(gamma=0.5), False)):
        schedule = kind(sgd(), **options)  # type: ignore[operator]
        schedule.step(1)
        before = schedule.get_last_lr()
        schedule.step(1.5)
        assert (schedule.get_last_lr() != before) is moves


def test_fractions_of_an_epoch_by_two_schedules() -> None:
    optimizer = sgd(1.0)
    both = optim.LinearLR(optimizer, 0.5, total_iters=1), optim.CosineAnnealingLR(optimizer, 2)
    for time in (0.25, 0.5, 0.5, 1.0, 1.5):
        for schedule in both:
            schedule.step(time)
        expected = (0.5 + 0.5 * min(time, 1)) * (1 + math.cos(math.pi * time / 2)) / 2
        assert optimizer.lr == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("names", [(name,) for name in CASES] + [
    ("linear", "exponential"), ("cosine", "step"), ("warm-up, then a cosine", "multi step"),
    ("one cycle", "exponential")], ids=" and ".join)
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_a_state_goes_on_with_the_same_rates(names: tuple[str, ...], steps: int) -> None:
    """To the bit, in a new optimizer, after a way through JSON."""
    first, second = sgd(), sgd()
    schedules, again = ([CASES[name][0](o) for name in names] for o in (first, second))
    end = min(20, *(schedule.end for schedule in schedules))
    steps = min(steps, end - 1)
    rates(first, *schedules, steps=steps)
    for one, other in zip(schedules, again, strict=True):
        other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert second.lr == first.lr
    more = min(6, end - steps)
    assert rates(second, *again, steps=more) == rates(first, *schedules, steps=more)
    assert second.param_groups[0]["momentum"] == first.param_groups[0]["momentum"]


@pytest.mark.parametrize("name", [name for name in CASES if name != "chain"])  # which is newer
def test_time_and_base_rates_alone_make_a_state(name: str) -> None:
    """What was saved before schedules could be several."""
    first, second = sgd(), sgd()
    schedule, again = CASES[name][0](first), CASES[name][0](second)
    rates(first, schedule, steps=3)
    state = schedule.state_dict()
    again.load_state_dict({key: state[key] for key in ("last_epoch", "base_lrs")})
    assert second.lr == first.lr


@pytest.mark.parametrize("change", [
    {"base_lrs": [0.5, 0.5]}, {"base_lrs": [-0.5]}, {"rates": [math.nan]}, {"rates": [-1.0]},
    {"bases": [math.inf]}, {"last_epoch": -1}, {"last_epoch": math.nan}], ids=str)
def test_a_state_that_makes_no_sense_changes_nothing(change: dict[str, Any]) -> None:
    optimizer = sgd()
    schedule = optim.ExponentialLR(optimizer, 0.5)
    schedule.step()
    before = schedule.state_dict()
    with pytest.raises(ValueError, match="schedule"):
        schedule.load_state_dict({**before, **change})
    assert schedule.state_dict() == before and optimizer.lr == 0.25


@pytest.mark.parametrize("make", [
    lambda o: optim.StepLR(o, 0), lambda o: optim.CosineAnnealingLR(o, 0),
    lambda o: optim.LinearLR(o, 0.0), lambda o: optim.OneCycleLR(o, 0.1),
    lambda o: optim.LinearLR(o, 0.5, 1.5), lambda o: optim.LinearLR(o, 1.5),
    lambda o: optim.LinearLR(o, 0.5, -0.5),
    lambda o: optim.OneCycleLR(o, 0.1, 10, pct_start=2), lambda o: optim.SequentialLR(o, [], [1]),
])
def test_options_that_make_no_sense(make: Any) -> None:
    with pytest.raises(ValueError):
        make(sgd())


@pytest.mark.parametrize("given", [{}, {"epochs": 3}, {"steps_per_epoch": 5}], ids=str)
def test_one_cycle_needs_to_know_its_end(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs total_steps, or epochs and steps_per_epoch"):
        optim.OneCycleLR(sgd(), 0.1, **given)
    assert optim.OneCycleLR(sgd(), 0.1, epochs=3, steps_per_epoch=5).total_steps == 15


def test_a_state_has_the_rate_that_others_made_of_it() -> None:
    first, second = sgd(), sgd()
    schedule, again = optim.MultiStepLR(first, [9], 0.5), optim.MultiStepLR(second, [9], 0.5)
    schedule.step()
    first.lr = 0.123
    again.load_state_dict(schedule.state_dict())
    assert second.lr == 0.123


def test_what_a_sequence_is_made_of_is_checked() -> None:
    optimizer = sgd()
    schedule = optim.SequentialLR(
        optimizer, [optim.LinearLR(optimizer, 0.5), optim.ExponentialLR(optimizer, 0.9)], [2])
    state = schedule.state_dict()
    wrong = {**state["schedulers"][1], "last_epoch": -1}
    with pytest.raises(ValueError, match="last_epoch is -1"):
        schedule.load_state_dict({**state, "schedulers": [state["schedulers"][0], wrong]})
    with pytest.raises(ValueError, match="the schedule is made of 1, expected 2"):
        schedule.load_state_dict({**state, "schedulers": [wrong]})


def test_one_cycle_by_default_is_pytorchs() -> None:
    """From a 25th over 30% of the time by a cosine, down to a 250,000th; beta from 0.95 to 0.85."""
    optimizer = sgd()
    schedule = optim.OneCycleLR(optimizer, 1.0, 20)
    found = []
    for _ in range(20):
        found.append((optimizer.lr, optimizer.param_groups[0]["momentum"]))
        schedule.step()
    assert found[0] == pytest.approx((1 / 25, 0.95)) and found[5] == pytest.approx((1.0, 0.85))
    assert found[1][0] == pytest.approx(1 / 25 + 24 / 25 * (1 - math.cos(math.pi / 5)) / 2)
    assert found[19] == pytest.approx((1 / 25 / 1e4, 0.95))


def test_a_state_brings_its_base_rates() -> None:
    first, second = sgd(0.25), sgd(1.0)
    schedule, again = optim.StepLR(first, 2), optim.StepLR(second, 2)
    again.load_state_dict(schedule.state_dict())
    again.restart()
    assert second.lr == 0.25 and again.base_lrs == [0.25]


def test_a_schedule_needs_an_optimizer_and_rising_milestones() -> None:
    with pytest.raises(TypeError, match="optimizer"):
        optim.StepLR("sgd", 3)  # type: ignore[arg-type]
    optimizer = sgd()
    parts = [optim.ExponentialLR(optimizer, 0.9) for _ in range(3)]
    with pytest.raises(ValueError, match="milestones"):
        optim.SequentialLR(optimizer, parts, [5, 2])


@pytest.mark.parametrize("name", ["base_momentum", "max_momentum", "pct_start"])
def test_shares_of_one_cycle(name: str) -> None:
    """From 0 to 1, and no more."""
    for value in (-0.01, 1.01, 1.5):
        with pytest.raises(ValueError, match=name):
            optim.OneCycleLR(sgd(), 0.1, 10, **{name: value})


def test_a_state_is_a_mapping_and_parameters_are_no_pairs() -> None:
    with pytest.raises(TypeError, match="the state"):
        sgd().load_state_dict(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes parameters, got") as caught:
        optim.SGD([("name", 3)], lr=0.1)
    assert "named_parameters" not in str(caught.value)

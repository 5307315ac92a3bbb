"""ReduceLROnPlateau: its state, the figure that it follows, and what it refuses."""

import json
import math
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def sgd(lr: float = 1.0) -> optim.SGD:
    return optim.SGD([nn.Parameter(np.zeros(2))], lr=lr)


@pytest.mark.parametrize("steps", range(0, 8))
def test_a_state_goes_on(steps: int) -> None:
    figures = [3.0, 2.0, 2.0, 2.5, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    first, second = sgd(), sgd(0.3)
    schedule, again = (optim.ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=1)
                       for o in (first, second))
    for figure in figures[:steps]:
        schedule.step(figure)
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    for figure in figures[steps:]:
        schedule.step(figure)
        again.step(figure)
        assert again.state_dict() == schedule.state_dict()


@pytest.mark.parametrize(("options", "record", "expected"), [
    ({}, {"loss": 1.0, "validation_loss": 2.0}, 2.0), ({}, {"loss": 1.0}, 1.0),
    (dict(mode="max"), {"loss": 1.0, "accuracy": 0.5}, 0.5),
    (dict(mode="max"), {"validation_accuracy": 0.25, "accuracy": 0.5}, 0.25),
    (dict(monitor="loss"), {"loss": 1.0, "validation_loss": 2.0}, 1.0)], ids=str)
def test_the_figure_that_it_follows(
    options: dict[str, Any], record: dict[str, float], expected: float
) -> None:
    assert optim.ReduceLROnPlateau(sgd(), **options).figure(record) == expected


def test_a_figure_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="follows 'f1', the history has epoch, loss"):
        optim.ReduceLROnPlateau(sgd(), monitor="f1").figure({"epoch": 1, "loss": 2.0})


def test_restart_forgets() -> None:
    optimizer = sgd()
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(3):
        schedule.step(np.float32(1.0))
    assert optimizer.lr == pytest.approx(0.01) and schedule.best == 1.0
    schedule.restart()
    assert (optimizer.lr, schedule.best, schedule.last_epoch) == (1.0, math.inf, 0)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda o: optim.ReduceLROnPlateau(3), TypeError, "ReduceLROnPlateau takes an optimizer"),
    (lambda o: optim.ReduceLROnPlateau(o, "least"), ValueError, "mode must be one of"),
    (lambda o: optim.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor must be .* below 1"),
    (lambda o: optim.ReduceLROnPlateau(o, patience=-1), ValueError, "patience must be"),
    (lambda o: optim.ReduceLROnPlateau(o, patience=1.5), TypeError, "patience must be"),
    (lambda o: optim.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold_mode"),
    (lambda o: optim.ReduceLROnPlateau(o, min_lr=[0.1, 0.2]), ValueError, "min_lr has 2 values"),
    (lambda o: optim.ReduceLROnPlateau(o, monitor=3), TypeError, "monitor must be the name"),
    (lambda o: optim.ReduceLROnPlateau(o).step("0.5"), TypeError, "the metric must be a number"),
    (lambda o: optim.ReduceLROnPlateau(o).step([1.0]), TypeError, "the metric must be a number"),
    (lambda o: optim.ReduceLROnPlateau(o).step(1.0, -1), ValueError, "the time of a schedule")])
def test_what_cannot_be(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(sgd())


@pytest.mark.parametrize("change", [
    {"best": math.nan}, {"best": "1"}, {"best": None}, {"num_bad_epochs": -1},
    {"cooldown_counter": 0.5}, {"last_epoch": -1}, {"rates": [-1.0]}], ids=str)
def test_a_state_that_makes_no_sense_changes_nothing(change: dict[str, Any]) -> None:
    schedule = optim.ReduceLROnPlateau(sgd())
    schedule.step(2.0)
    before = schedule.state_dict()
    with pytest.raises(ValueError, match="the schedule's"):
        schedule.load_state_dict({**before, **change})
    assert schedule.state_dict() == before

"""Schedules against torch's, and at fractions of an epoch."""

from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def sgd(lr: float = 0.5) -> optim.SGD:
    return optim.SGD([nn.Parameter(np.zeros(2))], lr=lr, momentum=0.9)


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "step": (optim.StepLR, dict(step_size=3, gamma=0.5)),
    "multi step": (optim.MultiStepLR, dict(milestones=[2, 7], gamma=0.2)),
    "exponential": (optim.ExponentialLR, dict(gamma=0.9)),
    "linear": (optim.LinearLR, dict(start_factor=0.25, total_iters=4)),
    "cosine": (optim.CosineAnnealingLR, dict(T_max=12, eta_min=0.01)),
    "one cycle": (optim.OneCycleLR, dict(max_lr=0.3, total_steps=13)),
    "one cycle, linear": (optim.OneCycleLR, dict(max_lr=0.3, epochs=4, steps_per_epoch=5,
                                                 anneal_strategy="linear", pct_start=0.4)),
    "lambda": (optim.LambdaLR, dict(lr_lambda=lambda epoch: 1 / (1 + epoch))),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_as_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    kind, options = CASES[name]
    theirs_optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.5, momentum=0.9)
    theirs = getattr(torch.optim.lr_scheduler, kind.__name__)(theirs_optimizer, **options)
    ours_optimizer = sgd()
    ours = kind(ours_optimizer, **options)
    for _ in range(12):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-15)
        assert ours_optimizer.param_groups[0]["momentum"] == pytest.approx(
            theirs_optimizer.param_groups[0]["momentum"], rel=1e-9)
        theirs_optimizer.step()
        theirs.step()
        ours.step()


def test_a_warm_up_then_a_cosine() -> None:
    optimizer = sgd(1.0)
    both = optim.SequentialLR(
        optimizer, [optim.LinearLR(optimizer, 0.5, total_iters=2),
                    optim.CosineAnnealingLR(optimizer, 4)], [2])
    rates = []
    for _ in range(7):
        rates += both.get_last_lr()
        both.step()
    cosine = [(1 + np.cos(np.pi * t / 4)) / 2 for t in range(5)]
    assert rates == pytest.approx([0.5, 0.75, *cosine])


def test_fractions_count_only_where_the_rate_is_smooth() -> None:
    for kind, options, moves in ((optim.CosineAnnealingLR, dict(T_max=4), True),
                                 (optim.StepLR, dict(step_size=1), False),
                                 (optim.ExponentialLR, dict(gamma=0.5), False)):
        schedule = kind(sgd(), **options)  # type: ignore[operator]
        schedule.step(1)
        before = schedule.get_last_lr()
        schedule.step(1.5)
        assert (schedule.get_last_lr() != before) is moves


@pytest.mark.parametrize("name", CASES)
def test_the_state_is_the_time(name: str) -> None:
    kind, options = CASES[name]
    first, second = kind(sgd(), **options), kind(sgd(), **options)
    for _ in range(5):
        first.step()
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == first.get_last_lr()
    first.step()
    second.step()
    assert second.get_last_lr() == first.get_last_lr()


@pytest.mark.parametrize("make", [
    lambda o: optim.StepLR(o, 0), lambda o: optim.CosineAnnealingLR(o, 0),
    lambda o: optim.LinearLR(o, 0.0), lambda o: optim.OneCycleLR(o, 0.1),
    lambda o: optim.OneCycleLR(o, 0.1, 10, pct_start=2), lambda o: optim.SequentialLR(o, [], [1]),
])
def test_options_that_make_no_sense(make: Any) -> None:
    with pytest.raises(ValueError):
        make(sgd())

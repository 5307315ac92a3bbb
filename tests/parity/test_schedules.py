"""Every schedule beside PyTorch's, alone and several on one optimizer, for 50 steps."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

OURS, THEIRS = optim, torch.optim.lr_scheduler
# Of a module with schedules and an optimizer: one schedule.
KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "step": lambda m, o: m.StepLR(o, step_size=3, gamma=0.5),
    "multi step": lambda m, o: m.MultiStepLR(o, milestones=[2, 7, 30], gamma=0.2),
    "exponential": lambda m, o: m.ExponentialLR(o, gamma=0.9),
    "linear": lambda m, o: m.LinearLR(o, start_factor=0.25, total_iters=4),
    "linear to zero": lambda m, o: m.LinearLR(o, 1.0, 0.0, total_iters=11),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, T_max=12),
    "cosine above": lambda m, o: m.CosineAnnealingLR(o, T_max=60, eta_min=0.01),
    "one cycle": lambda m, o: m.OneCycleLR(o, max_lr=0.3, total_steps=60),
    "one cycle, linear": lambda m, o: m.OneCycleLR(
        o, max_lr=0.3, epochs=12, steps_per_epoch=5, anneal_strategy="linear", pct_start=0.4),
    "lambda": lambda m, o: m.LambdaLR(o, lr_lambda=lambda epoch: 1 / (1 + epoch)),
    "sequential": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.2, total_iters=3), m.CosineAnnealingLR(o, 10, 0.02),
            m.ExponentialLR(o, 0.8)], [4, 21]),
}
MULTIPLYING = ("step", "multi step", "exponential", "linear", "cosine", "cosine above")


def pair(names: tuple[str, ...]) -> tuple[tuple[Any, list[Any]], tuple[Any, list[Any]]]:
    """(optimizer, schedules), ours and PyTorch's, of two groups."""
    ours = optim.SGD([{"params": [nn.Parameter(np.zeros(2))]},
                      {"params": [nn.Parameter(np.zeros(2))], "lr": 0.125}], lr=0.5, momentum=0.9)
    theirs = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(2))]},
                              {"params": [torch.nn.Parameter(torch.zeros(2))], "lr": 0.125}],
                             lr=0.5, momentum=0.9)
    return ((ours, [KINDS[name](OURS, ours) for name in names]),
            (theirs, [KINDS[name](THEIRS, theirs) for name in names]))


def compare(names: tuple[str, ...], steps: int = 50, set_at: int | None = None) -> None:
    (ours, own), (theirs, other) = pair(names)
    for step in range(steps):
        if step == set_at:
            ours.lr = 0.2
            for group in theirs.param_groups:
                group["lr"] = 0.2
        for group, expected in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert group["lr"] == pytest.approx(expected["lr"], rel=1e-9, abs=1e-15), (names, step)
            assert group["momentum"] == pytest.approx(expected["momentum"], rel=1e-9)
        theirs.step()
        for schedule in (*own, *other):
            schedule.step()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_alone(name: str) -> None:
    compare((name,))


@pytest.mark.parametrize("names", list(permutations(KINDS, 2)), ids=" and ".join)
@pytest.mark.filterwarnings("ignore:The epoch parameter")
def test_two_on_one_optimizer(names: tuple[str, str]) -> None:
    compare(names)


@pytest.mark.parametrize("names", list(permutations(MULTIPLYING, 3)), ids=" and ".join)
def test_three_on_one_optimizer(names: tuple[str, str, str]) -> None:
    compare(names)


@pytest.mark.parametrize("name", MULTIPLYING)
def test_a_rate_that_is_set_in_between_counts(name: str) -> None:
    compare((name,), set_at=5)

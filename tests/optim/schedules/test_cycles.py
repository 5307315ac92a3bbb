"""OneCycleLR and CyclicLR: momentum, groups, where they end, and what they refuse."""

import math
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def made(kind: Any = optim.SGD, **options: Any) -> Any:
    options = options or (dict(momentum=0.9) if kind is optim.SGD else {})
    return kind([{"params": [nn.Parameter(np.zeros(2))]}, {"params": [nn.Parameter(np.zeros(2))]}],
                lr=0.5, **options)


def test_steps_beyond_the_end() -> None:
    """One more than there are batches, as a loop steps after its last one, and no other."""
    optimizer = made()
    schedule = optim.OneCycleLR(optimizer, 0.1, total_steps=3)
    for _ in range(3):
        schedule.step()
    assert optimizer.lr == pytest.approx(0.1 / 25 / 1e4)
    with pytest.raises(ValueError, match="OneCycleLR ends after 3 steps, got step 4"):
        schedule.step()
    assert schedule.last_epoch == 3


def test_the_first_beta_cycles() -> None:
    optimizer = made(optim.Adam)
    schedule = optim.CyclicLR(optimizer, 0.1, 0.2, 2, base_momentum=[0.5, 0.6], max_momentum=0.8)
    found = []
    for _ in range(3):
        found.append([group["betas"] for group in optimizer.param_groups])
        schedule.step()
    expected = [[(0.8, 0.999), (0.8, 0.999)], [(0.65, 0.999), (0.7, 0.999)],
                [(0.5, 0.999), (0.6, 0.999)]]
    assert np.array(found) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("kind", [lambda o, **k: optim.OneCycleLR(o, 0.1, 10, **k),
                                  lambda o, **k: optim.CyclicLR(o, 0.1, 0.2, **k)])
def test_without_momentum(kind: Any) -> None:
    with pytest.raises(ValueError, match="cycle_momentum=True needs an optimizer with betas or"):
        kind(made(optim.SGD, momentum=0.0))
    kind(made(optim.SGD, momentum=0.0), cycle_momentum=False)


def test_a_cycle_begins_with_its_own_rate() -> None:
    optimizer = made()
    optim.StepLR(optimizer, 3)
    schedule = optim.CyclicLR(optimizer, [0.1, 0.2], 0.3, 2)
    assert schedule.get_last_lr() == schedule.base_lrs == [0.1, 0.2]
    schedule.step()
    schedule.restart()
    assert schedule.get_last_lr() == [0.1, 0.2]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.5, 0.5]


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda o: optim.OneCycleLR(o, [0.1], 10), ValueError, "max_lr has 1 values, expected one"),
    (lambda o: optim.OneCycleLR(o, [0.1, "x"], 10), TypeError, r"max_lr\[1\] must be a number"),
    (lambda o: optim.OneCycleLR(o, 0.1, math.inf), TypeError, "total_steps must be an integer"),
    (lambda o: optim.OneCycleLR(o, 0.1, 0), ValueError, "total_steps must be an integer from 1"),
    (lambda o: optim.OneCycleLR(o, 0.1, 9, anneal_strategy="sin"), ValueError, "anneal_strategy"),
    (lambda o: optim.OneCycleLR(o, 0.1, 9, three_phase="x"), TypeError, "three_phase must be"),
    (lambda o: optim.OneCycleLR(3, 0.1, 9), TypeError, "OneCycleLR takes an optimizer"),
    (lambda o: optim.CyclicLR(3, 0.1, 0.2), TypeError, "CyclicLR takes an optimizer"),
    (lambda o: optim.CyclicLR(o, 0.1, [0.2] * 3), ValueError, "max_lr has 3 values"),
    (lambda o: optim.CyclicLR(o, -0.1, 0.2), ValueError, "base_lr must be a number from 0 on"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, 0), ValueError, "step_size_up must be a number above"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, math.inf), ValueError, "step_size_up"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, 5, 0), ValueError, "step_size_down"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError, "mode must be one of"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, scale_mode="x"), ValueError, "scale_mode must be one"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, scale_fn=3), TypeError, "scale_fn must be a function"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, max_momentum=1.5), ValueError, "max_momentum must be"),
    (lambda o: optim.CyclicLR(o, 0.1, 0.2, scale_fn=str).step(), TypeError, "scale_fn returns")])
def test_what_cannot_be(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(made())

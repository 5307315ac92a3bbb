"""Schedules by functions, those of one's own, and how any of them goes on after an epoch."""

from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim


def sgd() -> optim.SGD:
    return optim.SGD([{"params": [nn.Parameter(np.zeros(2))]},
                      {"params": [nn.Parameter(np.zeros(2))], "lr": 0.5}], lr=1.0)


def test_a_function_is_called_once_for_each_epoch() -> None:
    """However often a Trainer steps to a time within it."""
    called = []
    schedule = optim.MultiplicativeLR(sgd(), lambda epoch: called.append(epoch) or 0.5)
    for batch in range(12):
        schedule.step(batch / 4)
    assert called == [1, 1, 2, 2]  # for each group
    assert schedule.get_last_lr() == [0.25, 0.125]
    schedule.restart()
    schedule.step(1)
    assert schedule.get_last_lr() == [0.5, 0.25]


class Decay(optim.lr_scheduler._LRScheduler):
    """As programs for PyTorch write it: each rate of the one before."""

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [group["lr"] for group in self.optimizer.param_groups]
        return [group["lr"] * 0.5 for group in self.optimizer.param_groups]


def test_one_of_ones_own_steps_once_for_each_epoch() -> None:
    schedule = Decay(sgd())
    for batch in range(12):
        schedule.step(batch / 4)
    assert schedule.get_last_lr() == [0.25, 0.125] and schedule.last_epoch == 2
    again = Decay(sgd())
    again.load_state_dict(schedule.state_dict())
    again.step()
    assert again.get_last_lr() == [0.125, 0.0625]


def test_one_without_a_rate() -> None:
    class Nothing(optim.LRScheduler):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing needs get_lr\(\)"):
        Nothing(sgd())


def test_an_optimizers_state_has_what_going_on_needs() -> None:
    first = sgd()
    schedule = optim.CosineAnnealingLR(first, 10)
    for _ in range(4):
        schedule.step()
    again = sgd()
    again.load_state_dict(first.state_dict())
    resumed = optim.CosineAnnealingLR(again, 10, last_epoch=3)
    assert resumed.base_lrs == [1.0, 0.5] and resumed.last_epoch == 4
    for _ in range(5):
        assert resumed.get_last_lr() == pytest.approx(schedule.get_last_lr(), rel=1e-14)
        schedule.step()
        resumed.step()


def test_states_from_before_the_first_schedule_and_after() -> None:
    before = sgd().state_dict()
    with_schedule = sgd()
    optim.StepLR(with_schedule, 1)
    with_schedule.load_state_dict(before)
    assert [group["initial_lr"] for group in with_schedule.param_groups] == [1.0, 0.5]
    state = with_schedule.state_dict()
    state["groups"][1]["initial_lr"] = -1.0
    with pytest.raises(ValueError, match="initial_lr must be a number from 0 on"):
        sgd().load_state_dict(state)


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda o: optim.StepLR(o, 1, last_epoch=3), ValueError, r"param_groups\[0\] needs 'initial"),
    (lambda o: optim.StepLR(o, 1, last_epoch=-2), ValueError, "last_epoch must be an integer"),
    (lambda o: optim.StepLR(o, 1, last_epoch=1.5), TypeError, "last_epoch must be an integer"),
    (lambda o: optim.LambdaLR(o, [len]), ValueError, "lr_lambda has 1 functions, expected one, or"),
    (lambda o: optim.MultiplicativeLR(o, [len, 3]), TypeError, "lr_lambda must be a function"),
    (lambda o: optim.MultiplicativeLR(o, str).step(), TypeError, "what lr_lambda returns"),
    (lambda o: optim.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0 must be an integer from"),
    (lambda o: optim.CosineAnnealingWarmRestarts(o, 2.5), TypeError, "T_0 must be an integer"),
    (lambda o: optim.CosineAnnealingWarmRestarts(o, 2, 0), ValueError, "T_mult must be"),
    (lambda o: optim.ConstantLR(o, 1.5), ValueError, "factor must be a number from 0 to 1"),
    (lambda o: optim.LinearLR(o, total_iters=float("inf")), ValueError, "total_iters must be"),
    (lambda o: optim.PolynomialLR(o, 0), ValueError, "total_iters must be a number above 0"),
    (lambda o: optim.PolynomialLR(o, 5, -1), ValueError, "power must be a number from 0 on"),
    (lambda o: optim.swa_utils.SWALR(o, [0.1]), ValueError, "swa_lr has 1 values"),
    (lambda o: optim.swa_utils.SWALR(o, 0.1, -1), ValueError, "anneal_epochs must be an integer"),
    (lambda o: optim.swa_utils.SWALR(o, 0.1, 3, "x"), ValueError, "anneal_strategy must be one")])
def test_what_cannot_be(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(sgd())

"""Learning-rate schedules, as torch.optim.lr_scheduler; `scheduler.py` has what they share."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastnn.arguments import choice, instance, integer, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import FactorLR, LRScheduler, check_optimizer


class LambdaLR(LRScheduler):
    """lr = base lr * lr_lambda(epoch), as torch.optim.lr_scheduler.LambdaLR with one function.

    As there, it overwrites the rates of other schedules: step it before them.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[float], float]) -> None:
        if not callable(lr_lambda):
            raise TypeError(f"lr_lambda must be a function of the epoch, got {lr_lambda!r:.60}")
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def apply(self, time: float) -> None:
        self._set([base * real(self.lr_lambda(time), "what lr_lambda returns")
                   for base in self.base_lrs])


class StepLR(FactorLR):
    """factor = gamma ^ floor(epoch / step_size), as torch.optim.lr_scheduler.StepLR."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = integer(step_size, "step_size", "an integer from 1 on", 1)
        self.gamma = _gamma(gamma)
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        return float(self.gamma ** (time // self.step_size))


class MultiStepLR(FactorLR):
    """factor = gamma ^ (how many milestones have passed), as torch's MultiStepLR."""

    def __init__(
        self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1
    ) -> None:
        self.milestones, self.gamma = _milestones(milestones), _gamma(gamma)
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        return float(self.gamma ** bisect.bisect_right(self.milestones, time))


class ExponentialLR(FactorLR):
    """factor = gamma ^ epoch, as torch.optim.lr_scheduler.ExponentialLR."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = _gamma(gamma)
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        return float(self.gamma**time)


class LinearLR(FactorLR):
    """A warm-up: factor goes from start_factor to end_factor in total_iters epochs, then stays.

    As torch.optim.lr_scheduler.LinearLR (Goyal et al., "Accurate, large minibatch SGD", 2017).

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> warmup = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> [warmup.factor(epoch) for epoch in (0, 1, 2, 3)]
    [0.5, 0.75, 1.0, 1.0]
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0,
        total_iters: float = 5,
    ) -> None:
        self.start_factor = real(start_factor, "start_factor", "a number above 0 and up to 1",
                                 most=1, above=0)
        self.end_factor = real(end_factor, "end_factor", "a number from 0 to 1", 0, 1)
        self.total_iters = real(total_iters, "total_iters", "a number above 0", above=0)
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        passed = min(time / self.total_iters, 1.0)
        return self.start_factor + (self.end_factor - self.start_factor) * passed


class CosineAnnealingLR(FactorLR):
    """lr = eta_min + (base lr - eta_min) (1 + cos(π epoch / T_max)) / 2, as torch's.

    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017)
    """

    smooth = True

    def __init__(self, optimizer: Optimizer, T_max: float, eta_min: float = 0.0) -> None:
        self.T_max = real(T_max, "T_max", "a number above 0", above=0)
        self.eta_min = self.floor = real(eta_min, "eta_min", "a number from 0 on", 0)
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        return (1 + math.cos(math.pi * time / self.T_max)) / 2


class SequentialLR(LRScheduler):
    """One schedule after the other, the next one at each milestone, as torch's SequentialLR.

    As there, each begins with the base rates and discards changes by other schedules.
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[float]
    ) -> None:
        wrong = next((one for one in schedulers if not isinstance(one, LRScheduler)), None)
        if wrong is not None:
            raise TypeError(f"SequentialLR takes schedules, got {wrong!r:.60}")
        given, milestones = milestones, _milestones(milestones)
        if len(milestones) != len(schedulers) - 1 or list(given) != milestones:
            raise ValueError(f"{len(schedulers)} schedules need {len(schedulers) - 1} rising "
                             f"milestones, got {list(given)}")
        if any(schedule.unit != self.unit or schedule.optimizer is not optimizer
               for schedule in schedulers):
            raise ValueError("the schedules must count epochs and share the optimizer")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        self._chosen: int | None = None
        super().__init__(optimizer)

    def apply(self, time: float) -> None:
        chosen = bisect.bisect_right(self.milestones, time)
        schedule = self.schedulers[chosen]
        if chosen != self._chosen:
            schedule.restart()
            self._chosen = chosen
        schedule.step(time - [0.0, *self.milestones][chosen])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(),
                "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        states = state.get("schedulers", [])
        if states and len(states) != len(self.schedulers):
            raise ValueError(f"the schedule is made of {len(states)}, "
                             f"expected {len(self.schedulers)}")
        for schedule, its in zip(self.schedulers, states, strict=False):
            schedule.check_state(its)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        for schedule in self.schedulers:
            schedule.base_lrs = [float(rate) for rate in state["base_lrs"]]
        self._chosen = None
        super().load_state_dict(state)
        for i, its in enumerate(state.get("schedulers", ())):
            if i == self._chosen:
                self.schedulers[i].load_state_dict(its)


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to a tiny rate; momentum goes the other way.

    As torch.optim.lr_scheduler.OneCycleLR: time counts batches, total_steps of them (or epochs *
    steps_per_epoch), a share pct_start of them rising. Adam's first beta counts as momentum. It
    overwrites the rates of other schedules: step it before them.
    (Smith and Topin, "Super-convergence", 2018)
    """

    unit = "batch"

    def __init__(
        self, optimizer: Optimizer, max_lr: float, total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float = 0.85,
        max_momentum: float = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
    ) -> None:
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
        if total_steps is None:
            total_steps = (integer(epochs, "epochs", "an integer from 1 on", 1)
                           * integer(steps_per_epoch, "steps_per_epoch", "an integer from 1 on", 1))
        self.total_steps = integer(total_steps, "total_steps", "an integer from 1 on", 1)
        self.max_lr = real(max_lr, "max_lr", "a number from 0 on", 0)
        self.pct_start = real(pct_start, "pct_start", "a number from 0 to 1", 0, 1)
        self.linear = choice(anneal_strategy, "anneal_strategy", ("cos", "linear")) == "linear"
        self.cycle_momentum = cycle_momentum
        self.base_momentum = real(base_momentum, "base_momentum", "a number from 0 to 1", 0, 1)
        self.max_momentum = real(max_momentum, "max_momentum", "a number from 0 to 1", 0, 1)
        self.initial_lr = self.max_lr / real(div_factor, "div_factor", "a number above 0", above=0)
        self.min_lr = self.initial_lr / real(final_div_factor, "final_div_factor",
                                             "a number above 0", above=0)
        check_optimizer(self, optimizer)
        for group in optimizer.param_groups:
            group.initial_lr = self.initial_lr
        super().__init__(optimizer)

    def _between(self, start: float, end: float, passed: float) -> float:
        if self.linear:
            return start + (end - start) * passed
        return end + (start - end) / 2 * (1 + math.cos(math.pi * passed))

    def apply(self, time: float) -> None:
        peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        time = min(time, last)
        if time <= peak:
            passed = time / peak if peak > 0 else 1.0
            rate = self._between(self.initial_lr, self.max_lr, passed)
            momentum = self._between(self.max_momentum, self.base_momentum, passed)
        else:
            passed = (time - peak) / (last - peak)
            rate = self._between(self.max_lr, self.min_lr, passed)
            momentum = self._between(self.base_momentum, self.max_momentum, passed)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            if self.cycle_momentum and group.get("momentum"):
                group["momentum"] = momentum
            elif self.cycle_momentum and "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])


def _gamma(gamma: float) -> float:
    return real(gamma, "gamma", "a number from 0 on", 0)


def _milestones(milestones: Sequence[float]) -> list[float]:
    instance(milestones, "milestones", (list, tuple))
    return sorted(real(milestone, "a milestone") for milestone in milestones)

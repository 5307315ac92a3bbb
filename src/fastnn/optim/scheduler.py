"""Base of learning-rate schedules: time, state, and how several work on one optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from fastnn.arguments import real
from fastnn.optim.optimizer import Optimizer


def check_optimizer(schedule: LRScheduler, optimizer: Optimizer) -> None:
    """Raise TypeError unless the value is an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(schedule).__name__} takes an optimizer such as SGD(...), "
                        f"got {optimizer!r:.60}")


class LRScheduler:
    """Base class: sets the learning rates of an optimizer, from the start on.

    `step()` advances by one; `step(t)` goes to time t, which may be a fraction. Time counts epochs,
    or batches where `unit` says so. `smooth` says whether fractions of an epoch count; otherwise
    the rate changes between epochs only. `base_lrs`: the rates before the optimizer's first
    schedule. Subclasses give `apply`.
    """

    unit: ClassVar[str] = "epoch"
    smooth: ClassVar[bool] = False

    def __init__(self, optimizer: Optimizer) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            if group.initial_lr is None:
                group.initial_lr = float(group["lr"])
        self.base_lrs = [float(group.initial_lr or 0.0) for group in optimizer.param_groups]
        self.step(0)

    def apply(self, time: float) -> None:
        """Set the optimizer's rates for a time."""
        raise NotImplementedError

    def step(self, time: float | None = None) -> None:
        """Set the learning rates for the next step of time, or for `time`."""
        self.last_epoch: float = self.last_epoch + 1 if time is None else \
            real(time, "the time of a schedule", "a number from 0 on", 0)
        self.apply(self.last_epoch if self.smooth else math.floor(self.last_epoch))

    def restart(self) -> None:
        """Go back to time 0 and the base rates."""
        self._set(self.base_lrs)
        self.step(0)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The time, the base rates, and the rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs),
                "rates": self.get_last_lr()}

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Raise ValueError for a state that `load_state_dict` cannot take."""
        for name in ("base_lrs", "rates"):
            self._check_rates(name, state.get(name, state["base_lrs"]))
            if min(state.get(name, state["base_lrs"])) < 0:
                raise ValueError(f"the schedule's {name} are {state[name]}, expected 0 or more")
        if not 0 <= state["last_epoch"] < math.inf:
            raise ValueError(f"the schedule's last_epoch is {state['last_epoch']}, expected a time "
                             "from 0 on")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of `state_dict`; nothing changes unless all of it fits."""
        self.check_state(state)
        self.base_lrs = [float(rate) for rate in state["base_lrs"]]
        self.step(state["last_epoch"])
        self._set(state.get("rates", self.get_last_lr()))

    def _check_rates(self, name: str, rates: Any) -> None:
        if len(rates) != len(self.base_lrs):
            raise ValueError(f"the schedule is for {len(rates)} parameter groups, "
                             f"expected {len(self.base_lrs)}")
        if not all(math.isfinite(rate) for rate in rates):
            raise ValueError(f"the schedule's {name} are {rates}, expected finite numbers")

    def _set(self, rates: Any) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = float(rate)


class FactorLR(LRScheduler):
    """A schedule that multiplies the current rate; subclasses give `factor`.

    From time s to t it multiplies (lr - floor) by factor(t) / factor(s), like PyTorch's chained
    schedules, so that several work on one optimizer, and a rate that you set in between counts. If
    nothing else changes the rate, it is floor + (base - floor) * factor(t), which depends only on
    the time: rounding does not accumulate. After a factor of 0 it starts from the base rates.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> both = optim.LinearLR(optimizer, 0.5, total_iters=2), optim.ExponentialLR(optimizer, 0.5)
    >>> for _ in range(2):
    ...     for schedule in both:
    ...         schedule.step()
    ...     print(optimizer.lr)
    0.375
    0.25
    """

    floor = 0.0

    def __init__(self, optimizer: Optimizer) -> None:
        check_optimizer(self, optimizer)
        # What the factor multiplies, and the rates that this schedule set last.
        self._bases = [float(group["lr"]) for group in optimizer.param_groups]
        self._left, self._factor = list(self._bases), 1.0
        super().__init__(optimizer)

    def factor(self, time: float) -> float:
        """The factor of the rate of time 0."""
        raise NotImplementedError

    def apply(self, time: float) -> None:
        before, self._factor = self._factor, self.factor(time)
        if self._factor == before:
            return
        for i, group in enumerate(self.optimizer.param_groups):
            found, beside = float(group["lr"]), 0.0
            if before == 0:  # nothing is left to multiply
                self._bases[i], beside = self.base_lrs[i], found - self.floor
            elif found != self._left[i]:
                self._bases[i] = self.floor + (found - self.floor) / before
            self._left[i] = self._rate(i)
            group["lr"] = self._left[i] + beside

    def _rate(self, i: int) -> float:
        return self.floor + (self._bases[i] - self.floor) * self._factor

    def restart(self) -> None:
        self._bases, self._left, self._factor = list(self.base_lrs), list(self.base_lrs), 1.0
        super().restart()

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with what is multiplied."""
        return {**super().state_dict(), "bases": list(self._bases)}

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        self._check_rates("bases", state.get("bases", state["base_lrs"]))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        self.base_lrs = [float(rate) for rate in state["base_lrs"]]
        self.step(state["last_epoch"])
        self._bases = [float(base) for base in state.get("bases", self.base_lrs)]
        self._left = [self._rate(i) for i in range(len(self._bases))]
        self._set(state.get("rates", self._left))

"""A rate that falls when a figure no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

from fastnn.arguments import choice, integer, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import LRScheduler, check_optimizer
from fastnn.optim.schedules.groups import per_group, rate


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rates by factor after more than `patience` epochs without an improvement.

    As torch.optim.lr_scheduler.ReduceLROnPlateau: `step(metric)` after each epoch. An improvement
    is a metric below best * (1 - threshold), for threshold_mode "abs" below best - threshold; with
    mode "max" above the same with a plus. After a reduction `cooldown` epochs do not count. min_lr:
    the least rate, or a list of them, one for each group; changes of eps or less are not made.

    A `Trainer` steps it by itself after each epoch with the figure of its history that `monitor`
    names. By default that is the loss, with mode "max" the accuracy, of the validation if there is
    one. It cannot be a part of other schedules, which no figure reaches.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> found = []
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.9):
    ...     schedule.step(loss)
    ...     found.append(optimizer.lr)
    >>> found
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    unit = "metric"

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
        threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0, eps: float = 1e-8, *, monitor: str | None = None,
    ) -> None:
        check_optimizer(self, optimizer)
        self.optimizer = optimizer
        self.mode = choice(mode, "mode", ("min", "max"))
        self.factor = real(factor, "factor", "a number from 0 to below 1", 0, math.nextafter(1, 0))
        self.patience = integer(patience, "patience", "an integer from 0 on", 0)
        self.threshold = real(threshold, "threshold", "a number from 0 on", 0)
        self.threshold_mode = choice(threshold_mode, "threshold_mode", ("rel", "abs"))
        self.cooldown = integer(cooldown, "cooldown", "an integer from 0 on", 0)
        self.min_lrs = per_group(min_lr, "min_lr", optimizer, rate)
        self.eps = real(eps, "eps", "a number from 0 on", 0)
        if monitor is not None and not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a figure, got {monitor!r:.60}")
        self.monitor = monitor
        self.base_lrs = self.get_last_lr()
        self.begin()

    def begin(self) -> None:
        """Forget the best metric, and what was counted since."""
        self.last_epoch: float = 0
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs do not count, after a reduction."""
        return self.cooldown_counter > 0

    def step(  # type: ignore[override]
        self, metrics: SupportsFloat, epoch: float | None = None
    ) -> None:
        """Count an epoch with this metric; reduce the rates if there was no improvement for long.

        NaN is no improvement.
        """
        current = _number(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else \
            real(epoch, "the time of a schedule", "a number from 0 on", 0)
        if self._improves(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _improves(self, metric: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            return sign * metric > sign * self.best * (1 + sign * self.threshold)
        return sign * metric > sign * self.best + self.threshold

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            before = float(group["lr"])
            reduced = max(before * self.factor, least)
            if before - reduced > self.eps:
                group["lr"] = reduced

    def figure(self, record: Mapping[str, Any]) -> float:
        """The metric among the figures of an epoch; ValueError if it is not there."""
        name = self.monitor
        if name is None:
            name = "loss" if self.mode == "min" else "accuracy"
            name = f"validation_{name}" if f"validation_{name}" in record else name
        if name not in record:
            raise ValueError(f"ReduceLROnPlateau follows {name!r}, the history has "
                             f"{', '.join(record)}")
        return float(record[name])

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`, with what it has counted."""
        return {**super().state_dict(), "best": self.best, "num_bad_epochs": self.num_bad_epochs,
                "cooldown_counter": self.cooldown_counter}

    def check_state(self, state: Mapping[str, Any]) -> None:
        super().check_state(state)
        if type(state["best"]) not in (int, float) or math.isnan(state["best"]):
            raise ValueError(f"the schedule's best is {state['best']!r:.60}, expected a number")
        for name in ("num_bad_epochs", "cooldown_counter"):
            if type(state[name]) is not int or state[name] < 0:
                raise ValueError(f"the schedule's {name} is {state[name]!r:.60}, expected a count")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.check_state(state)
        self.take_base_rates(state)
        self.last_epoch, self.best = state["last_epoch"], float(state["best"])
        self.num_bad_epochs = state["num_bad_epochs"]
        self.cooldown_counter = state["cooldown_counter"]
        self._set(state.get("rates", self.get_last_lr()))


def _number(metrics: SupportsFloat) -> float:
    if isinstance(metrics, (str, bytes)):
        raise TypeError(f"the metric must be a number, got {metrics!r:.60}")
    try:
        return float(metrics)
    except (TypeError, ValueError):
        raise TypeError(f"the metric must be a number, got {metrics!r:.60}") from None

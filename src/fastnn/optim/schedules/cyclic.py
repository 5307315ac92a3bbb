"""Cycles of the rate (Smith, "Cyclical learning rates for training neural networks", 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastnn.arguments import choice, flag, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import LRScheduler, check_optimizer
from fastnn.optim.schedules.groups import per_group, rate, share
from fastnn.optim.schedules.momentum import momentum_name, set_momentum

MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(LRScheduler):
    """Up from base_lr to max_lr in step_size_up batches, down in step_size_down, and again.

    As torch.optim.lr_scheduler.CyclicLR; time counts batches. How far up it goes is scaled: not for
    mode "triangular", by half in each cycle for "triangular2", by gamma ^ batch for "exp_range", or
    by scale_fn of the cycle's number (from 1 on) or, with scale_mode "iterations", of the batch.
    Momentum, or Adam's first beta, goes the other way. base_lr, max_lr, base_momentum and
    max_momentum may be lists, a number for each group. It overwrites the rates of other schedules:
    step it before them. (Smith, "Cyclical learning rates for training neural networks", 2017)

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0, momentum=0.9)
    >>> schedule = CyclicLR(optimizer, 0.5, 1.0, step_size_up=2, mode="triangular2")
    >>> found = []
    >>> for _ in range(7):
    ...     found.append(optimizer.lr)
    ...     schedule.step()
    >>> found
    [0.5, 0.75, 1.0, 0.75, 0.5, 0.625, 0.75]
    """

    unit = "batch"

    def __init__(
        self, optimizer: Optimizer, base_lr: float | Sequence[float],
        max_lr: float | Sequence[float], step_size_up: float = 2000,
        step_size_down: float | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
        cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9, last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        self._low = per_group(base_lr, "base_lr", optimizer, rate)
        self.max_lrs = per_group(max_lr, "max_lr", optimizer, rate)
        self._up = real(step_size_up, "step_size_up", "a number above 0", above=0)
        down = step_size_up if step_size_down is None else step_size_down
        self._down = real(down, "step_size_down", "a number above 0", above=0)
        if scale_fn is not None and not callable(scale_fn):
            raise TypeError(f"scale_fn must be a function of a number, got {scale_fn!r:.60}")
        self.mode = mode if scale_fn else choice(mode, "mode", MODES)
        self.gamma = real(gamma, "gamma", "a number from 0 on", 0)
        self._scale_fn = scale_fn
        self.scale_mode = choice(scale_mode, "scale_mode", ("cycle", "iterations"))
        self._least = per_group(base_momentum, "base_momentum", optimizer, share)
        self._most = per_group(max_momentum, "max_momentum", optimizer, share)
        self._momentum = (momentum_name(type(self).__name__, optimizer)
                          if flag(cycle_momentum, "cycle_momentum") else None)
        if last_epoch == -1:
            for group, low in zip(optimizer.param_groups, self._low, strict=True):
                group["lr"] = low
        super().__init__(optimizer, last_epoch)
        self.base_lrs = list(self._low)

    def scale_fn(self, x: float) -> float:
        """How far up a cycle goes, as a share: x is its number or the batch's."""
        if self._scale_fn is not None:
            return real(self._scale_fn(x), "what scale_fn returns")
        if self.mode == "triangular":
            return 1.0
        return 0.5 ** (x - 1) if self.mode == "triangular2" else float(self.gamma**x)

    def apply(self, time: float) -> None:
        cycle, passed = divmod(time, self._up + self._down)
        height = passed / self._up if passed <= self._up else \
            (self._up + self._down - passed) / self._down
        by_cycle = self.scale_mode == "cycle" if self._scale_fn else self.mode != "exp_range"
        height *= self.scale_fn(math.floor(cycle) + 1 if by_cycle else time)
        self._set(_between(self._low, self.max_lrs, height))
        if self._momentum is not None:
            set_momentum(self.optimizer, self._momentum, _between(self._most, self._least, height))

    def take_base_rates(self, state: Mapping[str, Any]) -> None:
        super().take_base_rates(state)
        self._low = list(self.base_lrs)


def _between(start: list[float], end: list[float], height: float) -> list[float]:
    return [of + (to - of) * height for of, to in zip(start, end, strict=True)]

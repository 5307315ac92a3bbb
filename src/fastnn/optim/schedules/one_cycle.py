"""One cycle of the rate over a whole training (Smith and Topin, "Super-convergence", 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fastnn.arguments import choice, flag, integer, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import LRScheduler, check_optimizer
from fastnn.optim.schedules.groups import per_group, rate, share
from fastnn.optim.schedules.momentum import momentum_name, set_momentum


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to a tiny rate; momentum goes the other way.

    As torch.optim.lr_scheduler.OneCycleLR: time counts batches, total_steps of them (or epochs *
    steps_per_epoch), a share pct_start of them rising. three_phase: down as it went up, then to the
    tiny rate, max_lr / div_factor / final_div_factor. max_lr, base_momentum and max_momentum may be
    lists, a number for each group. Adam's first beta counts as momentum. It overwrites the rates
    of other schedules: step it before them.

    Raises ValueError for steps beyond total_steps; a `Trainer` whose epochs have more batches
    refuses them before it starts. (Smith and Topin, "Super-convergence", 2018)

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0, momentum=0.9)
    >>> schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6,
    ...                       anneal_strategy="linear", div_factor=4, final_div_factor=1)
    >>> found = []
    >>> for _ in range(5):
    ...     found.append(optimizer.lr)
    ...     schedule.step()
    >>> found
    [0.25, 0.625, 1.0, 0.625, 0.25]
    """

    unit = "batch"

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float],
        total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        self.total_steps = self.end = _total_steps(total_steps, epochs, steps_per_epoch)
        self.pct_start = real(pct_start, "pct_start", "a number from 0 to 1", 0, 1)
        self.linear = choice(anneal_strategy, "anneal_strategy", ("cos", "linear")) == "linear"
        self.three_phase = flag(three_phase, "three_phase")
        self.max_lrs = per_group(max_lr, "max_lr", optimizer, rate)
        down = real(div_factor, "div_factor", "a number above 0", above=0)
        further = real(final_div_factor, "final_div_factor", "a number above 0", above=0)
        initial = [top / down for top in self.max_lrs]
        least = [first / further for first in initial]
        low = per_group(base_momentum, "base_momentum", optimizer, share)
        high = per_group(max_momentum, "max_momentum", optimizer, share)
        self._momentum = (momentum_name(type(self).__name__, optimizer)
                          if flag(cycle_momentum, "cycle_momentum") else None)
        # Where the phases end, and what each begins and ends with.
        rising = self.pct_start * self.total_steps - 1
        self._ends = [rising, *([2 * rising] if self.three_phase else []), self.total_steps - 1]
        self._rates = [initial, self.max_lrs, *([initial] if self.three_phase else []), least]
        self._momenta = [high, low, high, high]
        if last_epoch == -1:
            for group, first in zip(optimizer.param_groups, initial, strict=True):
                group["initial_lr"] = first
        super().__init__(optimizer, last_epoch)

    def apply(self, time: float) -> None:
        time = min(time, self._ends[-1])  # the step after the last batch
        phase = next((i for i, end in enumerate(self._ends) if time <= end), len(self._ends) - 1)
        start, end = self._ends[phase - 1] if phase else 0.0, self._ends[phase]
        passed = (time - start) / (end - start) if end > start else 1.0
        self._set(self._between(self._rates[phase], self._rates[phase + 1], passed))
        if self._momentum is not None:
            set_momentum(self.optimizer, self._momentum, self._between(
                self._momenta[phase], self._momenta[phase + 1], passed))

    def _between(self, start: list[float], end: list[float], passed: float) -> list[float]:
        left = 1 - passed if self.linear else (1 + math.cos(math.pi * passed)) / 2
        return [to + (of - to) * left for of, to in zip(start, end, strict=True)]


def _total_steps(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    expected = "an integer from 1 on"
    if total is not None:
        return integer(total, "total_steps", expected, 1)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
    return (integer(epochs, "epochs", expected, 1)
            * integer(steps_per_epoch, "steps_per_epoch", expected, 1))

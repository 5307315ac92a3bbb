"""The rate for averages of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fastnn.arguments import choice, integer
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import FactorLR, check_optimizer
from fastnn.optim.schedules.groups import per_group, rate


class SWALR(FactorLR):
    """From the present rate to swa_lr in anneal_epochs epochs, then stays there.

    As torch.optim.swa_utils.SWALR; swa_lr may be a list, a rate for each group. Step it instead of
    another schedule once weights are averaged, or make it the last part of a `SequentialLR`: it
    goes on from the rate that it finds. With last_epoch it goes on within its epochs.
    (Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018)

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> found = []
    >>> for _ in range(4):
    ...     found.append(optimizer.lr)
    ...     schedule.step()
    >>> found
    [1.0, 0.75, 0.5, 0.5]
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | Sequence[float], anneal_epochs: int = 10,
        anneal_strategy: str = "cos", last_epoch: int = -1,
    ) -> None:
        check_optimizer(self, optimizer)
        self.anneal_epochs = integer(anneal_epochs, "anneal_epochs", "an integer from 0 on", 0)
        self.linear = choice(anneal_strategy, "anneal_strategy", ("cos", "linear")) == "linear"
        self.swa_lrs = per_group(swa_lr, "swa_lr", optimizer, rate)
        super().__init__(optimizer, last_epoch, self.swa_lrs)

    def factor(self, time: float) -> float:
        if time >= self.anneal_epochs:
            return 0.0
        passed = time / self.anneal_epochs
        return 1 - passed if self.linear else (1 + math.cos(math.pi * passed)) / 2

    def apply(self, time: float) -> None:
        super().apply(time)
        if time >= self.anneal_epochs:  # whatever others have made of it
            self._set(self.swa_lrs)

    def follow(self) -> None:
        self.begin()

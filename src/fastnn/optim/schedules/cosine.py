"""Cosines, once or with warm restarts (Loshchilov and Hutter, "SGDR", 2017)."""

from __future__ import annotations

import math

from fastnn.arguments import integer, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import FactorLR, LRScheduler, check_optimizer


class CosineAnnealingLR(FactorLR):
    """lr = eta_min + (base lr - eta_min) (1 + cos(π epoch / T_max)) / 2, as torch's.

    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017)
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, T_max: float, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_optimizer(self, optimizer)
        self.T_max = real(T_max, "T_max", "a number above 0", above=0)
        self.eta_min = _eta_min(eta_min)
        super().__init__(optimizer, last_epoch, [self.eta_min] * len(optimizer.param_groups))

    def factor(self, time: float) -> float:
        return (1 + math.cos(math.pi * time / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine from the base rate to eta_min in T_0 epochs, then again in T_0 * T_mult, and so on.

    As torch.optim.lr_scheduler.CosineAnnealingWarmRestarts; `step(epoch + batch / batches)` sets
    the rate within an epoch, which a `Trainer` does by itself. It overwrites the rates of other
    schedules: step it before them.
    (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017)

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> found = []
    >>> for epoch in range(8):
    ...     found.append(round(optimizer.lr, 3))
    ...     schedule.step()
    >>> found
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0, 0.962]
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0 = integer(T_0, "T_0", "an integer from 1 on", 1)
        self.T_mult = integer(T_mult, "T_mult", "an integer from 1 on", 1)
        self.eta_min = _eta_min(eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        passed, length = self.last_epoch, self.T_0
        if self.T_mult == 1:
            passed %= length
        while passed >= length:
            passed, length = passed - length, length * self.T_mult
        factor = (1 + math.cos(math.pi * passed / length)) / 2
        return [self.eta_min + (base - self.eta_min) * factor for base in self.base_lrs]


def _eta_min(eta_min: float) -> float:
    return real(eta_min, "eta_min", "a number from 0 on", 0)

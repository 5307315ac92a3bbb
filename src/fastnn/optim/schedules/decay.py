"""Schedules that multiply the rate by a formula of the time, of their own or of a warm-up."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from fastnn.arguments import integer, real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import FactorLR
from fastnn.optim.schedules.milestones import milestones_of


class StepLR(FactorLR):
    """factor = gamma ^ floor(epoch / step_size), as torch.optim.lr_scheduler.StepLR."""

    _jumps = True

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = integer(step_size, "step_size", "an integer from 1 on", 1)
        self.gamma = _gamma(gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return float(self.gamma ** (time // self.step_size))


class MultiStepLR(FactorLR):
    """factor = gamma ^ (how many milestones have passed), as torch's MultiStepLR.

    A milestone that is there twice counts twice.
    """

    _jumps = True

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[float], gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(milestones_of(milestones))
        self.gamma = _gamma(gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return float(self.gamma ** bisect.bisect_right(self.milestones, time))


class ConstantLR(FactorLR):
    """The given factor for total_iters epochs, then 1, as torch.optim.lr_scheduler.ConstantLR.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> [schedule.factor(epoch) for epoch in (0, 1, 2, 3)]
    [0.25, 0.25, 1.0, 1.0]
    """

    _jumps = True

    def __init__(
        self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: float = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = real(factor, "factor", "a number from 0 to 1", 0, 1)
        self.total_iters = _total_iters(total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return self.start_factor if time < self.total_iters else 1.0


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
        total_iters: float = 5, last_epoch: int = -1,
    ) -> None:
        self.start_factor = real(start_factor, "start_factor", "a number above 0 and up to 1",
                                 most=1, above=0)
        self.end_factor = real(end_factor, "end_factor", "a number from 0 to 1", 0, 1)
        self.total_iters = _total_iters(total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        passed = min(time / self.total_iters, 1.0)
        return self.start_factor + (self.end_factor - self.start_factor) * passed


class ExponentialLR(FactorLR):
    """factor = gamma ^ epoch, as torch.optim.lr_scheduler.ExponentialLR."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = _gamma(gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return float(self.gamma**time)


class InverseTimeLR(FactorLR):
    """factor = 1 / (1 + gamma epoch): the decay 1/t, as Keras' InverseTimeDecay.

    The rates add up to infinity and their squares do not, so that steps on noisy gradients of a
    convex function come to its minimum, however far it is (Robbins & Monro, 1951). PyTorch has it
    only as a `LambdaLR`.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = InverseTimeLR(optimizer, gamma=0.5)
    >>> [schedule.factor(epoch) for epoch in (0, 2, 6)]
    [1.0, 0.5, 0.25]
    """

    smooth = True

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = _gamma(gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return 1.0 / (1.0 + self.gamma * time)


class PolynomialLR(FactorLR):
    """factor = (1 - epoch / total_iters) ^ power, and 0 from total_iters on, as torch's.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> [schedule.factor(epoch) for epoch in (0, 1, 2, 4, 5)]
    [1.0, 0.5625, 0.25, 0.0, 0.0]
    """

    smooth = True

    def __init__(
        self, optimizer: Optimizer, total_iters: float = 5, power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = _total_iters(total_iters)
        self.power = real(power, "power", "a number from 0 on", 0)
        super().__init__(optimizer, last_epoch)

    def factor(self, time: float) -> float:
        return float((1.0 - min(time / self.total_iters, 1.0)) ** self.power)


def _gamma(gamma: float) -> float:
    return real(gamma, "gamma", "a number from 0 on", 0)


def _total_iters(total_iters: float) -> float:
    return real(total_iters, "total_iters", "a number above 0", above=0)

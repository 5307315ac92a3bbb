"""Schedules by a function of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastnn.arguments import real
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.scheduler import FactorLR, LRScheduler, check_optimizer

Function = Callable[[float], float]


class LambdaLR(LRScheduler):
    """lr = base lr * lr_lambda(epoch), as torch.optim.lr_scheduler.LambdaLR.

    lr_lambda: a function, or a list of them, one for each parameter group. A state does not hold
    them, nor what they remember.

    As in PyTorch it overwrites the rates of other schedules: step it before them.

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> a, b = nn.Parameter(np.zeros(3)), nn.Parameter(np.zeros(3))
    >>> optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=1.0)
    >>> schedule = LambdaLR(optimizer, [lambda epoch: 0.5 ** epoch, lambda epoch: 1.0])
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1
    ) -> None:
        check_optimizer(self, optimizer)
        self.lr_lambdas = _functions(lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [base * factor for base, factor in
                zip(self.base_lrs, _values(self.lr_lambdas, self.last_epoch), strict=True)]


class MultiplicativeLR(FactorLR):
    """lr = lr * lr_lambda(epoch) in each epoch from 1 on, as torch's MultiplicativeLR.

    lr_lambda: a function, or a list of them, one for each parameter group. As the next part of a
    `SequentialLR` it goes on from the rate that it finds, times lr_lambda(0).

    >>> import numpy as np
    >>> from fastnn import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.zeros(3))], lr=1.0)
    >>> schedule = MultiplicativeLR(optimizer, lambda epoch: 1 / epoch)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> round(optimizer.lr, 12)
    0.041666666667
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1
    ) -> None:
        check_optimizer(self, optimizer)
        self.lr_lambdas = _functions(lr_lambda, optimizer)
        self._products, self._until = [1.0] * len(self.lr_lambdas), 0
        super().__init__(optimizer, last_epoch)

    def factors(self, time: float) -> list[float]:
        if time < self._until:
            self._products, self._until = [1.0] * len(self.lr_lambdas), 0
        while self._until < time:
            values = _values(self.lr_lambdas, self._until + 1)
            self._products = [product * value for product, value in
                              zip(self._products, values, strict=True)]
            self._until += 1
        return list(self._products)

    def follow(self) -> None:
        self._set([rate * value for rate, value in
                   zip(self.get_last_lr(), _values(self.lr_lambdas, 0), strict=True)])
        self.begin()


def _functions(given: Function | Sequence[Function], optimizer: Optimizer) -> list[Function]:
    groups = len(optimizer.param_groups)
    functions: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given] * groups
    if len(functions) != groups:
        raise ValueError(f"lr_lambda has {len(functions)} functions, expected one, or one for each "
                         f"of the {groups} parameter groups")
    for function in functions:
        if not callable(function):
            raise TypeError(f"lr_lambda must be a function of the epoch, got {function!r:.60}")
    return functions


def _values(functions: Sequence[Function], time: float) -> list[float]:
    return [real(function(time), "what lr_lambda returns") for function in functions]

"""ASGD: stochastic gradient descent, with the mean of the weights beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.arguments import check_number, check_ways
from fastnn.optim.optimizer import Group, Optimizer


class ASGD(Optimizer):
    """p = (1 - lambd η) p - η g; a += μ (p - a), as torch.optim.ASGD.

    η = lr / (1 + lambd lr (t-1))^alpha is the rate of step t, `eta` of the state, from the lr of
    the step before; μ = 1 / max(1, t-1-t0), so that a, `ax` of the state, is the mean of what p was
    since step t0. weight_decay is added to g. maximize: g is minus the gradient. foreach,
    differentiable, capturable: accepted, without effect. (Polyak and Juditsky, 1992)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.ASGD(model.parameters(), lr=0.01, t0=1000)
    """

    state_names = ("ax",)
    carried_name = "eta"

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
        t0: float = 1e6, weight_decay: float = 0.0, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, lambd=lambd, alpha=alpha, t0=t0,
                                      weight_decay=weight_decay, maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        for name in ("lambd", "t0"):
            group[name] = check_number(name, group[name], 0.0)

    def kernel(self, group: Group) -> str:
        return "asgd"

    def numbers(self, group: Group) -> list[float]:
        return [group[name] for name in ("lr", "weight_decay", "lambd", "alpha", "t0")]

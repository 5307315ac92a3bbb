"""Adadelta: steps as large as those before, by running means of squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.arguments import check_number, check_ways
from fastnn.optim.optimizer import Group, Optimizer


class Adadelta(Optimizer):
    """v = ρ v + (1-ρ) g²; d = sqrt((u + eps) / (v + eps)) g; u = ρ u + (1-ρ) d²; p -= lr d.

    As torch.optim.Adadelta; weight_decay is added to g. maximize: g is minus the gradient. foreach,
    capturable, differentiable: accepted, without effect. (Zeiler, 2012)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Adadelta(model.parameters(), rho=0.95)
    """

    state_names = ("square_avg", "acc_delta")

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0.0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay,
                                      maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        group["rho"] = check_number("rho", group["rho"], 0.0, most=1.0)

    def kernel(self, group: Group) -> str:
        return "adadelta"

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], group["rho"], group["eps"]]

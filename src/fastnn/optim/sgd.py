"""Stochastic gradient descent, with momentum or Nesterov's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastnn.optim.arguments import check_flag, check_number
from fastnn.optim.optimizer import Group, Optimizer


class SGD(Optimizer):
    """g += weight_decay p; v = momentum v + (1 - dampening) g; p -= lr v, as torch.optim.SGD.

    With nesterov, p -= lr (g + momentum v). The first v of each parameter is g, without dampening.
    (Sutskever et al., 2013)
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0,
        dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening,
                                      weight_decay=weight_decay, nesterov=nesterov))

    def check(self, group: Group) -> None:
        super().check(group)
        group["dampening"] = check_number("dampening", group["dampening"])
        group["nesterov"] = check_flag("nesterov", group["nesterov"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum needs a momentum and zero dampening")

    def kernel(self, group: Group) -> str:
        if not group["momentum"]:
            return "sgd"
        return "sgd_nesterov" if group["nesterov"] else "sgd_momentum"

    def names(self, group: Group) -> Sequence[str]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def numbers(self, group: Group) -> list[float]:
        numbers = [group["lr"], group["weight_decay"]]
        return [*numbers, group["momentum"], group["dampening"]] if group["momentum"] else numbers

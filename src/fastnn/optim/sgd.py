"""Stochastic gradient descent, with momentum or Nesterov's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from fastnn.optim.arguments import check_number, check_ways
from fastnn.optim.optimizer import Group, Optimizer


class SGD(Optimizer):
    """g += weight_decay p; v = momentum v + (1 - dampening) g; p -= lr v, as torch.optim.SGD.

    With nesterov, p -= lr (g + momentum v). The first v of each parameter is g, without dampening.
    maximize: g is minus the gradient. foreach, differentiable, fused: accepted, without effect.

    Textbooks write momentum with a velocity u = -lr v: u = momentum u - lr g; p += u. Nesterov's
    takes the gradient where p is about to be: u = momentum u - lr grad f(q + momentum u); q += u.
    That is the same in other variables: p is the place that looks ahead, p = q + momentum u, and
    q = p + lr momentum v. So p is what is trained and saved, and once it rests, p = q. A rate that
    changes acts on all of v at once; in the textbooks' form the old u keeps the old rate.
    (Polyak, 1964; Nesterov, 1983; Sutskever et al., 2013)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    >>> sorted(optimizer.state[id(model.weight)])
    ['momentum_buffer']
    """

    before: ClassVar[Mapping[str, Any]] = {"maximize": False}

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0,
        dampening: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_ways(foreach, fused, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening,
                                      weight_decay=weight_decay, nesterov=nesterov,
                                      maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        group["dampening"] = check_number("dampening", group["dampening"])
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

"""Adagrad: rates by the sum of all squared gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer


class Adagrad(Optimizer):
    """s += g²; p -= lr / (1 + (t-1) lr_decay) g / (sqrt(s) + eps), as torch.optim.Adagrad.

    s begins with initial_accumulator_value; weight_decay is added to g. maximize: g is minus the
    gradient. foreach, differentiable, fused: accepted, without effect. (Duchi et al., 2011)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Adagrad(model.parameters(), initial_accumulator_value=0.5)
    >>> float(optimizer.state[id(model.weight)]["sum"][0, 0])
    0.5
    """

    state_names = ("sum",)

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, lr_decay: float = 0.0,
        weight_decay: float = 0.0, initial_accumulator_value: float = 0.0, eps: float = 1e-10,
        foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_ways(foreach, fused, differentiable=differentiable)
        super().__init__(params, dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                                      initial_accumulator_value=initial_accumulator_value, eps=eps,
                                      maximize=maximize))

    def kernel(self, group: Group) -> str:
        return "adagrad"

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], group["lr_decay"], group["eps"]]

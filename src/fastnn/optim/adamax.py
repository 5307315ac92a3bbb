"""Adamax: Adam with the largest gradient in place of the second moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer


class Adamax(Optimizer):
    """u = max(β2 u, |g| + eps); p -= lr / (1-β1ᵗ) m / u, as torch.optim.Adamax.

    m = β1 m + (1-β1) g; weight_decay is added to g. maximize: g is minus the gradient. foreach,
    differentiable, capturable: accepted, without effect. (Kingma and Ba, 2015)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Adamax(model.parameters(), lr=2e-3)
    """

    state_names = ("exp_avg", "exp_inf")

    def __init__(
        self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                                      maximize=maximize))

    def kernel(self, group: Group) -> str:
        return "adamax"

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], *group["betas"], group["eps"]]

"""Lion: steps by the sign of a momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.optimizer import Group, Optimizer


class Lion(Optimizer):
    """p -= lr (sign(β1 m + (1-β1) g) + weight_decay p); then m = β2 m + (1-β2) g.

    Every weight moves by lr, so that lr is 3 to 10 times less than AdamW's, and weight_decay as
    many times more. maximize: g is minus the gradient. (Chen et al., 2023, "Symbolic Discovery of
    Optimization Algorithms", algorithm 2)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Lion(model.parameters(), lr=1e-4, weight_decay=0.1)
    """

    state_names = ("exp_avg",)

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0, *, maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay,
                                      maximize=maximize))

    def kernel(self, group: Group) -> str:
        return "lion"

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], *group["betas"]]

"""Adam, and AdamW with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn.optim.arguments import check_number
from fastnn.optim.optimizer import Group, Optimizer


class Adam(Optimizer):
    """m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²; p -= lr m̂ / (sqrt(v̂) + eps), as torch.optim.Adam.

    m̂ = m / (1-β1ᵗ), v̂ = v / (1-β2ᵗ); weight_decay is added to g; t counts the steps of each
    parameter, those in which it is trained. (Kingma and Ba, 2015)
    """

    state_names = ("exp_avg", "exp_avg_sq")
    _kernel = "adam"

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def check(self, group: Group) -> None:
        super().check(group)
        betas = group["betas"]
        if isinstance(betas, np.ndarray):
            betas = betas.tolist()
        if not isinstance(betas, (tuple, list)):
            raise TypeError(f"betas must be two numbers such as (0.9, 0.999), got {betas!r}")
        if len(betas) != 2:
            raise ValueError(f"betas must be two numbers such as (0.9, 0.999), got {len(betas)}")
        group["betas"] = tuple(check_number(f"betas[{i}]", beta, 0.0, below=1.0)
                               for i, beta in enumerate(betas))

    def kernel(self, group: Group) -> str:
        return self._kernel

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], group["weight_decay"], *group["betas"], group["eps"]]


class AdamW(Adam):
    """Adam with p -= lr weight_decay p apart from the gradient (Loshchilov and Hutter, 2019)."""

    _kernel = "adamw"

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

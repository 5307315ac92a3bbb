"""Adam, and AdamW with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.arguments import instance, real
from fastnn.optim.optimizer import Group, Optimizer


class Adam(Optimizer):
    """m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²; p -= lr m̂ / (sqrt(v̂) + eps), as torch.optim.Adam.

    m̂ = m / (1-β1ᵗ), v̂ = v / (1-β2ᵗ); weight_decay is added to g. (Kingma and Ba, 2015)
    """

    state_names = ("exp_avg", "exp_avg_sq")
    _kernel = "adam"

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps,
                                      weight_decay=weight_decay))

    def check(self, group: Group) -> None:
        super().check(group)
        betas = instance(group["betas"], "betas", (tuple, list))
        numbers = [real(beta, "each of betas", "a number from 0 to below 1", 0) for beta in betas]
        if len(numbers) != 2 or max(numbers) >= 1:
            raise ValueError(f"betas must be two numbers in [0, 1), got {betas}")

    def kernel(self, group: Group) -> str:
        return self._kernel

    def numbers(self, group: Group) -> list[float]:
        beta1, beta2 = group["betas"]
        steps = max(self.steps, 1)
        return [group["lr"], group["weight_decay"], beta1, beta2, group["eps"],
                1 - beta1**steps, 1 - beta2**steps]


class AdamW(Adam):
    """Adam with p -= lr weight_decay p apart from the gradient (Loshchilov and Hutter, 2019)."""

    _kernel = "adamw"

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

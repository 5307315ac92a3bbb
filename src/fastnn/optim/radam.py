"""RAdam: Adam whose first steps do without the second moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer, decays


class RAdam(Optimizer):
    """p -= lr m̂ r sqrt(1-β2ᵗ) / (sqrt(v) + eps) if ρ > 5, else p -= lr m̂, as torch.optim.RAdam.

    m, v and m̂ are Adam's; ρ = ρ' - 2 t β2ᵗ / (1-β2ᵗ), ρ' = 2 / (1-β2) - 1 and
    r² = (ρ-4) (ρ-2) ρ' / ((ρ'-4) (ρ'-2) ρ). Decay, maximize and what has no effect: as in Adam.
    (Liu et al., 2020)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.RAdam(model.parameters(), lr=1e-3, decoupled_weight_decay=True)
    """

    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                                      maximize=maximize,
                                      decoupled_weight_decay=decoupled_weight_decay))

    def kernel(self, group: Group) -> str:
        return "radam"

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], *decays(group), *group["betas"], group["eps"]]

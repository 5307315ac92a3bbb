"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer, decays


class NAdam(Optimizer):
    """p -= lr (μ' m / (1-Π μ') + (1-μ) g / (1-Π)) / (sqrt(v̂) + eps), as torch.optim.NAdam.

    m, v and v̂ are Adam's; μ = β1 (1 - 0.96^(t momentum_decay) / 2) is the momentum of step t, μ'
    that of the next one, and Π the product of all so far, `mu_product` of the state. Decay,
    maximize and what has no effect: as in Adam. (Dozat, 2016)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.NAdam(model.parameters(), lr=2e-3)
    >>> float(optimizer.state[id(model.weight)]["mu_product"])
    1.0
    """

    state_names = ("exp_avg", "exp_avg_sq")
    carried_name = "mu_product"

    def __init__(
        self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                                      momentum_decay=momentum_decay, maximize=maximize,
                                      decoupled_weight_decay=decoupled_weight_decay))

    def kernel(self, group: Group) -> str:
        return "nadam"

    def begins(self, group: Group) -> Mapping[str, float]:
        return {"mu_product": 1.0}

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], *decays(group), *group["betas"], group["eps"], group["momentum_decay"]]

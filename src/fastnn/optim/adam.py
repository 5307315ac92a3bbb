"""Adam, and AdamW with decoupled weight decay; AMSGrad of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer, decays


class Adam(Optimizer):
    """m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²; p -= lr m̂ / (sqrt(v̂) + eps), as torch.optim.Adam.

    m̂ = m / (1-β1ᵗ), v̂ = v / (1-β2ᵗ); weight_decay is added to g, or with decoupled_weight_decay
    p -= lr weight_decay p apart from it; t counts the steps of each parameter, those in which it is
    trained. amsgrad: v̂ comes of the largest v so far. maximize: g is minus the gradient. foreach,
    capturable, differentiable, fused: accepted, without effect.
    (Kingma and Ba, 2015; Reddi et al., 2018)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Adam(model.parameters(), lr=1e-3, amsgrad=True)
    >>> sorted(optimizer.state[id(model.weight)])
    ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']
    """

    before: ClassVar[Mapping[str, Any]] = {
        "amsgrad": False, "maximize": False, "decoupled_weight_decay": False}

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_ways(foreach, fused, capturable, differentiable)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                                      amsgrad=amsgrad, maximize=maximize,
                                      decoupled_weight_decay=decoupled_weight_decay))

    def kernel(self, group: Group) -> str:
        return "amsgrad" if group["amsgrad"] else "adam"

    def names(self, group: Group) -> Sequence[str]:
        names = ("exp_avg", "exp_avg_sq")
        return (*names, "max_exp_avg_sq") if group["amsgrad"] else names

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], *decays(group), *group["betas"], group["eps"]]


class AdamW(Adam):
    """Adam with p -= lr weight_decay p apart from the gradient (Loshchilov and Hutter, 2019)."""

    before: ClassVar[Mapping[str, Any]] = {**Adam.before, "decoupled_weight_decay": True}

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach,
                         maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused, decoupled_weight_decay=True)

"""RMSprop: gradients divided by their running root mean square."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fastnn.optim.arguments import check_ways
from fastnn.optim.optimizer import Group, Optimizer


class RMSprop(Optimizer):
    """v = α v + (1-α) g²; b = momentum b + g / (sqrt(v) + eps); p -= lr b, as torch.optim.RMSprop.

    centered: v - a² in place of v, with the mean a = α a + (1-α) g; never below 0, where rounding
    gives PyTorch NaN. weight_decay is added to g. maximize: g is minus the gradient. capturable,
    foreach, differentiable: accepted, without effect. (Hinton, 2012; centered: Graves, 2013)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.RMSprop(model.parameters(), momentum=0.9, centered=True)
    >>> list(optimizer.state[id(model.weight)])
    ['square_avg', 'grad_avg', 'momentum_buffer']
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay,
                                      momentum=momentum, centered=centered, maximize=maximize))

    def kernel(self, group: Group) -> str:
        centered = "_centered" if group["centered"] else ""
        return f"rmsprop{centered}_momentum" if group["momentum"] else f"rmsprop{centered}"

    def names(self, group: Group) -> Sequence[str]:
        return ("square_avg", *["grad_avg"] * group["centered"],
                *["momentum_buffer"] * (group["momentum"] > 0))

    def numbers(self, group: Group) -> list[float]:
        numbers = [group["lr"], group["weight_decay"], group["alpha"], group["eps"]]
        return [*numbers, group["momentum"]] if group["momentum"] else numbers

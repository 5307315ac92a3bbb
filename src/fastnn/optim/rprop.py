"""Rprop: steps by the signs of gradients alone, for whole batches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastnn.optim.arguments import check_number, check_ways, numbers_of
from fastnn.optim.optimizer import Group, Optimizer


class Rprop(Optimizer):
    """p -= sign(g) s, with a step s for each weight, as torch.optim.Rprop.

    s begins with lr. Where g has the sign of the gradient before, s is multiplied with etas[1];
    where it has the other, with etas[0], and g counts as 0 in this step and the next comparison.
    s stays within step_sizes. maximize: g is minus the gradient. capturable, foreach,
    differentiable: accepted, without effect. (Riedmiller and Braun, 1993)

    >>> import fastnn as fn
    >>> model = fn.nn.Linear(4, 2)
    >>> optimizer = fn.optim.Rprop(model.parameters(), lr=0.01, etas=(0.5, 1.2))
    """

    state_names = ("prev", "step_size")

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:
        check_ways(foreach, None, capturable, differentiable)
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        for name, example in (("etas", (0.5, 1.2)), ("step_sizes", (1e-6, 50))):
            values = numbers_of(name, group[name], example)
            group[name] = tuple(check_number(f"{name}[{i}]", value, 0.0)
                                for i, value in enumerate(values))
        smaller, larger = group["etas"]
        if not 0 < smaller < 1 < larger:
            raise ValueError("etas must be a number between 0 and 1 and one above 1, got "
                             f"{group['etas']}")
        if group["step_sizes"][0] > group["step_sizes"][1]:
            raise ValueError("step_sizes must be the least and the largest step, got "
                             f"{group['step_sizes']}")

    def kernel(self, group: Group) -> str:
        return "rprop"

    def numbers(self, group: Group) -> list[float]:
        return [group["lr"], *group["etas"], *group["step_sizes"]]

"""Momentum that goes the other way than the rate: SGD's, or Adam's first beta."""

from __future__ import annotations

from fastnn.optim.optimizer import Optimizer


def momentum_name(kind: str, optimizer: Optimizer) -> str:
    """The option of the groups that is the momentum; ValueError if they have none to cycle.

    kind: the schedule's name.
    """
    for name in ("betas", "momentum"):
        if all(group.get(name) for group in optimizer.param_groups):
            return name
    raise ValueError(f"{kind} with cycle_momentum=True needs an optimizer with betas or with a "
                     "momentum that is not 0, such as SGD(..., momentum=0.9); "
                     "cycle_momentum=False leaves the momentum alone")


def set_momentum(optimizer: Optimizer, name: str, values: list[float]) -> None:
    """Set the momentum of each group."""
    for group, value in zip(optimizer.param_groups, values, strict=True):
        group[name] = (value, *group[name][1:]) if name == "betas" else value

"""Numbers of parameter groups: one for all, or one for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.arguments import real
from fastnn.optim.optimizer import Optimizer


def per_group(
    value: Any, name: str, optimizer: Optimizer, check: Callable[[Any, str], float]
) -> list[float]:
    """A number for each parameter group, from a list of them or from one number for all."""
    if not isinstance(value, (list, tuple)):
        return [check(value, name)] * len(optimizer.param_groups)
    if len(value) != len(optimizer.param_groups):
        raise ValueError(f"{name} has {len(value)} values, expected one number or one for each of "
                         f"the {len(optimizer.param_groups)} parameter groups")
    return [check(one, f"{name}[{i}]") for i, one in enumerate(value)]


def rate(value: Any, name: str) -> float:
    """A learning rate."""
    return real(value, name, "a number from 0 on", 0)


def share(value: Any, name: str) -> float:
    """A share, such as a momentum."""
    return real(value, name, "a number from 0 to 1", 0, 1)

"""One optimizer or several, each with parameters of its own, for one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.optim.clipping import Clipping
from fastnn.optim.optimizer import Optimizer, check_optimizer


def optimizers_of(value: Any, names: Mapping[int, str]) -> tuple[Optimizer, ...]:
    """The optimizers of a step: one, or a list of them.

    names: of the model's parameters, by id. Raises TypeError for anything else, ValueError if two
    hold the same parameter.
    """
    if not isinstance(value, (list, tuple)):
        return (check_optimizer(value),)
    if not value:
        raise ValueError("the list of optimizers is empty")
    optimizers = tuple(map(check_optimizer, value))
    owners: dict[int, int] = {}
    for number, optimizer in enumerate(optimizers):
        for parameter in parameters_in(optimizer):
            other = owners.setdefault(id(parameter), number)
            if other != number:
                name = names.get(id(parameter), f"a parameter of shape {parameter.shape}")
                raise ValueError(f"optimizers {other} and {number} both hold {name}: each "
                                 "parameter belongs to one of them")
    return optimizers


def parameters_in(optimizer: Optimizer) -> list[Any]:
    """The parameters of an optimizer, in its order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def advance(optimizers: Sequence[Optimizer], clipping: Clipping, square: float) -> None:
    """Begin a step of all of them, whose gradients' squares sum up to `square`."""
    scale, limit = clipping.scale(square), clipping.limit
    for optimizer in optimizers:
        optimizer.advance(scale, limit)

"""One optimizer or several, each with parameters of its own, for one model; their schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.arguments import instance
from fastnn.optim.clipping import Clipping
from fastnn.optim.optimizer import Optimizer, check_optimizer
from fastnn.optim.scheduler import LRScheduler


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


def schedules_of(value: Any, optimizers: Sequence[Optimizer]) -> tuple[LRScheduler, ...]:
    """The schedules of a training: of None, of one, or of a list of them.

    Raises TypeError for anything else, ValueError for a schedule of another optimizer.
    """
    if value is None:
        return ()
    schedules = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for schedule in schedules:
        instance(schedule, "schedule", LRScheduler)
        if not any(schedule.optimizer is optimizer for optimizer in optimizers):
            raise ValueError(f"the {type(schedule).__name__} is of another "
                             f"{type(schedule.optimizer).__name__} than the one that trains: make "
                             "it with that")
    return schedules

"""When a Trainer steps its schedule: before each batch, or after each epoch with a figure of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.arguments import choice
from fastnn.optim.scheduler import LRScheduler
from fastnn.optim.schedules import ReduceLROnPlateau


def before_fit(schedules: Sequence[LRScheduler], steps: int, evaluates: bool) -> None:
    """Raise ValueError for a schedule that cannot accompany a training.

    steps: of the training up to its end, or 0 if that is not known. evaluates: whether epochs end
    with a validation.
    """
    for schedule in schedules:
        choice(schedule.unit, "schedule.unit", ("epoch", "batch", "metric"))
        if schedule.unit == "batch" and steps > schedule.end:
            raise ValueError(f"the schedule ends after {schedule.end} batches, the epochs have "
                             f"{steps} in all: make it for as many, or train for fewer epochs")
        monitor = schedule.monitor if isinstance(schedule, ReduceLROnPlateau) else None
        if monitor and monitor.startswith("validation_") and not evaluates:
            raise ValueError(f"the schedule follows {monitor!r}, which needs fit(..., "
                             "validation=...)")


def before_step(schedules: Sequence[LRScheduler], steps: int, epochs: float) -> None:
    """Set the rates of a step. steps: those before it; epochs: those done, and a fraction."""
    for schedule in schedules:
        if schedule.unit == "epoch":
            schedule.step(epochs)
        elif schedule.unit == "batch":
            if steps >= schedule.end:
                raise ValueError(f"the schedule ends after {schedule.end} batches, this would be "
                                 "another")
            schedule.step(steps)


def after_epoch(schedules: Sequence[LRScheduler], record: Mapping[str, Any]) -> None:
    """Tell the schedules that follow one of them the figures of an epoch."""
    for schedule in schedules:
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(schedule.figure(record))

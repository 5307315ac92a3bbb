"""Callbacks: code that runs after batches and epochs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from fastnn.arguments import instance, integer, real
from fastnn.files.regular import Path
from fastnn.files.write import replacing
from fastnn.nn.module import Module
from fastnn.training.metrics import Averages
from fastnn.training.weights import save


class Training(Protocol):
    """What callbacks see of a `Trainer`; epochs and batches count completed ones."""

    model: Module
    history: list[dict[str, Any]]
    averages: Averages
    epoch: int
    epochs: int
    batch: int
    batches: int
    steps: int
    seconds: float
    stop: bool
    batch_loss: float | None
    metrics: dict[str, Any]
    first_epoch: int
    optimizers: Any
    loss: Any

    def save(self, path: Path) -> None:
        """Write a full checkpoint."""
        ...


class Callback:
    """Base class: override what you need. Each gets the trainer and reads its attributes.

    A checkpoint of the trainer holds what `state_dict` returns, and `Trainer.resume` gives it to
    `load_state_dict`. Callbacks are called in order: those that save stand behind those whose
    state they save.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         trainer.stop = trainer.history[-1]["loss"] < 0.1
    """

    # A model that is validated in place of the trainer's: one of averaged weights, say.
    validated_model: Module | None = None

    def on_fit_begin(self, trainer: Training) -> None:
        """Before the first epoch of a fit, or after a resume."""

    def on_epoch_begin(self, trainer: Training) -> None:
        """Before each epoch, or the rest of one after a resume."""

    def on_batch_begin(self, trainer: Training) -> None:
        """Before each training step, of batch number `trainer.batch` from 0 on."""

    def on_batch_end(self, trainer: Training) -> None:
        """After each training step; `trainer.batch_loss` is its loss."""

    def on_validation_end(self, trainer: Training) -> None:
        """After an epoch's validation, whose figures `trainer.metrics` has."""

    def on_epoch_end(self, trainer: Training) -> None:
        """After each epoch and its validation; `trainer.history[-1]` has the figures."""

    def on_interrupt(self, trainer: Training) -> None:
        """After Ctrl-C or SIGTERM, between two batches."""

    def on_error(self, trainer: Training) -> None:
        """When a fit ends early, an interruption included; the error is raised after it."""

    def on_fit_end(self, trainer: Training) -> None:
        """After the last epoch."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds: numbers, texts, arrays, and dicts and lists of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state of `state_dict`, perhaps that of a new callback; or raise an error."""


EVENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback of functions of the trainer, by the names of the events.

    >>> LambdaCallback(on_epoch_end=lambda trainer: print(trainer.history[-1]["loss"]))
    LambdaCallback(on_epoch_end)
    """

    def __init__(self, **functions: Callable[[Any], object]) -> None:
        for event, function in functions.items():
            if event not in EVENTS:
                raise TypeError(f"LambdaCallback has no event {event!r}; there are "
                                f"{', '.join(EVENTS)}")
            if not callable(function):
                raise TypeError(f"{event} must be a function of the trainer, got {function!r:.60}")
            setattr(self, event, function)

    def __repr__(self) -> str:
        return f"LambdaCallback({', '.join(event for event in EVENTS if event in vars(self))})"


def as_callback(value: Any) -> Callback:
    """The value, or for a function of the trainer a callback that calls it after each epoch."""
    if callable(value) and not isinstance(value, (Callback, type)):
        return LambdaCallback(on_epoch_end=value)
    callback: Callback = instance(value, "a callback", Callback)
    return callback


class CheckpointCallback(Callback):
    """Save a full checkpoint after each epoch, and within it every so often.

    path: the file, always the newest complete checkpoint. seconds, batches: the interval within an
    epoch; None for no such limit.
    """

    def __init__(
        self, path: Path, seconds: float | None = 10.0, batches: int | None = None
    ) -> None:
        self.path = path
        self.seconds = seconds if seconds is None else real(
            seconds, "seconds", "a number from 0 on or None", 0)
        self.batches = batches if batches is None else integer(
            batches, "batches", "an integer from 1 on or None", 1)
        self._saved = time.monotonic()

    def on_fit_begin(self, trainer: Training) -> None:
        self._save(trainer)

    def on_batch_end(self, trainer: Training) -> None:
        due = self.seconds is not None and time.monotonic() - self._saved >= self.seconds
        if due or (self.batches and trainer.batch % self.batches == 0):
            self._save(trainer)

    def on_epoch_end(self, trainer: Training) -> None:
        self._save(trainer)

    def on_interrupt(self, trainer: Training) -> None:
        self._save(trainer)

    def on_fit_end(self, trainer: Training) -> None:
        self._save(trainer)

    def _save(self, trainer: Training) -> None:
        trainer.save(self.path)
        self._saved = time.monotonic()


class WeightsCallback(Callback):
    """Save the model's weights after each epoch; NonFiniteError if they are not finite.

    allow_non_finite: whether NaN and infinity are saved too. model: what is saved; by default the
    trainer's, which may be the head of a larger one.
    """

    def __init__(
        self, path: Path, allow_non_finite: bool = False, model: Module | None = None
    ) -> None:
        self.path, self.allow_non_finite, self.model = path, allow_non_finite, model

    def on_epoch_end(self, trainer: Training) -> None:
        model = trainer.model if self.model is None else self.model
        save(self.path, model, self.allow_non_finite)


class History(Callback):
    """Keep the history as JSON lines, one complete line for each epoch, each once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_begin(self, trainer: Training) -> None:
        self._write(trainer.history)

    def on_epoch_end(self, trainer: Training) -> None:
        self._write(trainer.history)

    def _write(self, history: list[dict[str, Any]]) -> None:
        with replacing(self.path) as stream:
            stream.writelines(json.dumps(record).encode() + b"\n" for record in history)

"""Callbacks: code that runs after batches and epochs."""

from __future__ import annotations

import json
import time
from typing import Any, Protocol

from fastnn.arguments import integer, real
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

    def save(self, path: Path) -> None:
        """Write a full checkpoint."""
        ...


class Callback:
    """Base class: override what you need. Each gets the trainer and reads its attributes.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         trainer.stop = trainer.history[-1]["loss"] < 0.1
    """

    def on_fit_begin(self, trainer: Training) -> None:
        """Before the first epoch of a fit, or after a resume."""

    def on_batch_end(self, trainer: Training) -> None:
        """After each training step."""

    def on_epoch_end(self, trainer: Training) -> None:
        """After each epoch and its validation; `trainer.history[-1]` has the figures."""

    def on_interrupt(self, trainer: Training) -> None:
        """After Ctrl-C or SIGTERM, between two batches."""

    def on_error(self, trainer: Training) -> None:
        """When a fit ends early, an interruption included; the error is raised after it."""

    def on_fit_end(self, trainer: Training) -> None:
        """After the last epoch."""


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

    allow_non_finite: whether NaN and infinity are saved too.
    """

    def __init__(self, path: Path, allow_non_finite: bool = False) -> None:
        self.path, self.allow_non_finite = path, allow_non_finite

    def on_epoch_end(self, trainer: Training) -> None:
        save(self.path, trainer.model, self.allow_non_finite)


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


class EarlyStopping(Callback):
    """Stop when a figure of the history has not fallen for `patience` epochs.

    monitor: its name; of accuracies the negative counts.
    """

    def __init__(self, monitor: str = "validation_loss", patience: int = 5) -> None:
        self.monitor = monitor
        self.patience = integer(patience, "patience", "an integer from 1 on", 1)

    def on_epoch_end(self, trainer: Training) -> None:
        if self.monitor not in trainer.history[-1]:
            raise ValueError(f"no {self.monitor!r} in the history, it has "
                             f"{', '.join(trainer.history[-1])}")
        sign = -1 if "accuracy" in self.monitor else 1
        values = [sign * record[self.monitor] for record in trainer.history]
        trainer.stop |= len(values) - 1 - values.index(min(values)) >= self.patience

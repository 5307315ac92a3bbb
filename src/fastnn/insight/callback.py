"""Reports on a model while it trains."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import integer
from fastnn.insight.inspect import inspect
from fastnn.insight.report import Report
from fastnn.training.callbacks import Callback, Training


class Inspect(Callback):
    """Inspect the trainer's model on one batch, before the first epoch and after each.

    x, y: the batch, as for `fn.inspect`. every: epochs between two reports. `reports` is a list of
    (epochs done, Report), with the optimizer's updates.

    >>> import numpy as np, fastnn as fn
    >>> model, x, y = fn.nn.Linear(2, 2), np.eye(2, dtype=np.float32), np.arange(2)
    >>> look = Inspect(x, y)
    >>> trainer = fn.Trainer(model, "cross_entropy", "sgd", callbacks=[look])
    >>> history = trainer.fit((x, y), epochs=2)
    >>> [(epoch, round(report.loss, 1) > 0) for epoch, report in look.reports]
    [(0, True), (1, True), (2, True)]
    """

    def __init__(self, x: Any, y: Any, every: int = 1) -> None:
        self._x, self._y = x, y
        self._every = integer(every, "every", "a number of epochs from 1 on", 1)
        self.reports: list[tuple[int, Report]] = []

    def on_fit_begin(self, trainer: Training) -> None:
        if not self.reports:
            self._look(trainer)

    def on_epoch_end(self, trainer: Training) -> None:
        if trainer.epoch % self._every == 0:
            self._look(trainer)

    def _look(self, trainer: Training) -> None:
        alone = trainer.optimizers[0] if len(trainer.optimizers) == 1 else None
        self.reports.append((trainer.epoch, inspect(
            trainer.model, self._x, self._y, trainer.loss, alone)))

"""Callbacks that write figures down."""

from __future__ import annotations

import csv
import io
from typing import Any

from fastnn.files.regular import Path
from fastnn.files.write import replacing
from fastnn.training.callbacks import Callback, Training


class LearningRateMonitor(Callback):
    """Add the learning rate of each group, and momenta, to the history after each epoch.

    One group's rate is "lr" anyway; of several they are "lr_0", "lr_1", ... Momenta are "momentum",
    or "momentum_0", ...: that of SGD, the first beta of Adam and its like. Those of several
    optimizers follow each other. It stands before callbacks that write the history.
    """

    def on_epoch_end(self, trainer: Training) -> None:
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        for number, group in enumerate(groups):
            suffix = f"_{number}" if len(groups) > 1 else ""
            trainer.history[-1][f"lr{suffix}"] = float(group["lr"])
            momentum = group.get("momentum", group.get("betas", (None,))[0])
            if momentum is not None:
                trainer.history[-1][f"momentum{suffix}"] = float(momentum)


class CSVLogger(Callback):
    """Keep the history as a table, one line for each epoch, each once, also after a resume.

    path: the file; it is replaced as a whole. separator: between values.
    """

    def __init__(self, path: Path, separator: str = ",") -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"separator must be one character, got {separator!r:.60}")
        self.path, self.separator = path, separator

    def on_fit_begin(self, trainer: Training) -> None:
        self._write(trainer.history)

    def on_epoch_end(self, trainer: Training) -> None:
        self._write(trainer.history)

    def _write(self, history: list[dict[str, Any]]) -> None:
        names = dict.fromkeys(name for record in history for name in record)
        text = io.StringIO()
        table = csv.DictWriter(text, list(names), delimiter=self.separator, lineterminator="\n")
        if names:
            table.writeheader()
        table.writerows(history)
        with replacing(self.path) as stream:
            stream.write(text.getvalue().encode())

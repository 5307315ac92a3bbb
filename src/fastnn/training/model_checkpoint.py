"""Save a checkpoint, or weights, of each epoch or of the best."""

from __future__ import annotations

import os
import string
from typing import Any

from fastnn.arguments import choice, flag
from fastnn.files.regular import Path
from fastnn.training.callbacks import Callback, Training
from fastnn.training.early_stopping import MODES, figure_of, is_larger_better
from fastnn.training.weights import save


class ModelCheckpoint(Callback):
    """Save after each epoch, or after those that are the best so far, as Keras' ModelCheckpoint.

    path: the file; {epoch} and figures of the history are filled in, with formats:
    "net-{epoch:03d}-{validation_loss:.3f}.safetensors". monitor, mode: see `EarlyStopping`; needed
    for save_best_only. save_weights_only: `fastnn.save` of the model instead of a full checkpoint
    of the trainer.

    `best`: the best figure so far, or None.
    """

    def __init__(
        self, path: Path, monitor: str = "validation_loss", mode: str = "auto",
        save_best_only: bool = False, save_weights_only: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        if not isinstance(self.path, str):
            raise TypeError(f"path must be a text or a Path, got {path!r:.60}")
        self._fields = [field for _, field, _, _ in string.Formatter().parse(self.path) if field]
        self.monitor = monitor
        self.sign = -1.0 if is_larger_better(monitor, choice(mode, "mode", MODES)) else 1.0
        self.save_best_only = flag(save_best_only, "save_best_only")
        self.save_weights_only = flag(save_weights_only, "save_weights_only")
        self.best: float | None = None

    def on_epoch_end(self, trainer: Training) -> None:
        if self.save_best_only:
            value = figure_of(trainer, self.monitor)
            if self.best is not None and self.sign * (self.best - value) <= 0:
                return
            self.best = value
        for field in self._fields:
            figure_of(trainer, field)
        path = self.path.format(**trainer.history[-1]) if self._fields else self.path
        if self.save_weights_only:
            save(path, trainer.model)
        else:
            trainer.save(path)

    def state_dict(self) -> dict[str, Any]:
        """The best figure."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        best = state.get("best")
        if best is not None and type(best) not in (int, float):
            raise ValueError(f"the best figure of ModelCheckpoint is {best!r:.60}")
        self.best = best

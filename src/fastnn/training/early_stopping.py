"""Stop when a figure no longer becomes better, and know the best."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fastnn.arguments import choice, flag, instance, integer, real
from fastnn.runtime.locks import process_lock
from fastnn.training.callbacks import Callback, Training

MODES = ("auto", "min", "max")
LARGER = re.compile("accuracy|acc|precision|recall|f1|r2|auc|margin|top[0-9]*")  # is better


def is_larger_better(figure: str, mode: str) -> bool:
    """Whether a larger figure is better: as the mode says, or "auto" by the figure's name.

    >>> is_larger_better("validation_f1_macro", "auto"), is_larger_better("loss", "auto")
    (True, False)
    """
    words = instance(figure, "monitor", str).removeprefix("validation_").split("_")
    return mode == "max" or (mode == "auto" and any(map(LARGER.fullmatch, words)))


def figure_of(trainer: Training, name: str) -> float:
    """A figure of the last epoch; ValueError, with those that there are, for one that is missing.
    """
    record = trainer.history[-1]
    if name not in record:
        raise ValueError(f"no {name!r} in the history, it has {', '.join(record)}")
    return float(record[name])


class EarlyStopping(Callback):
    """Stop when a figure of the history has not become better for `patience` epochs of a fit.

    monitor: its name. min_delta: what counts as better, by at least so much. mode: "min", "max", or
    "auto" by the name: accuracies and the like are better if larger. baseline: what the figure must
    be better than to begin with, or None. restore_best_weights: whether the model, and a loss with
    parameters, have the weights of the best epoch when the fit ends; they are kept in memory, and
    in checkpoints. Also when it ends after all epochs.

    `best_epoch`: the number of the best epoch, from 1 on, 0 if none was better than the baseline.
    """

    def __init__(
        self, monitor: str = "validation_loss", patience: int = 5, min_delta: float = 0.0,
        mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
    ) -> None:
        self.monitor = monitor
        self.patience = integer(patience, "patience", "an integer from 1 on", 1)
        self.min_delta = abs(real(min_delta, "min_delta"))
        self.sign = -1.0 if is_larger_better(monitor, choice(mode, "mode", MODES)) else 1.0
        self.baseline = None if baseline is None else real(baseline, "baseline")
        self.restore_best_weights = flag(restore_best_weights, "restore_best_weights")
        self.best_epoch = 0
        self._weights: dict[str, np.ndarray] = {}
        self._kept = 0  # the epoch of the weights

    def on_fit_begin(self, trainer: Training) -> None:
        if trainer.epoch == trainer.first_epoch and trainer.batch == 0:
            self.best_epoch, self._kept, self._weights = 0, 0, {}
        elif trainer.batch == 0:  # a checkpoint may be older than what this has seen of the epoch
            self.on_epoch_end(trainer)

    def on_epoch_end(self, trainer: Training) -> None:
        figure_of(trainer, self.monitor)
        best, self.best_epoch = self.baseline, 0
        for record in trainer.history[trainer.first_epoch:]:
            value = record.get(self.monitor)
            if value is not None and (best is None or
                                      self.sign * (best - value) > self.min_delta):
                best, self.best_epoch = value, record["epoch"]
        if self.restore_best_weights and self.best_epoch == len(trainer.history) > self._kept:
            self._keep(trainer)
        since = len(trainer.history) - max(self.best_epoch, trainer.first_epoch)
        trainer.stop |= since >= self.patience

    def on_fit_end(self, trainer: Training) -> None:
        if self._weights and self._kept != len(trainer.history):
            with process_lock:
                trainer.model.load_state_dict(self._weights)

    def _keep(self, trainer: Training) -> None:
        with process_lock:
            found = trainer.model.state_dict()
            if self._weights:
                for name, array in found.items():
                    self._weights[name][...] = array
            else:
                self._weights = {name: array.copy() for name, array in found.items()}
        self._kept = len(trainer.history)

    def state_dict(self) -> dict[str, Any]:
        """The best weights and their epoch; all else follows from the history."""
        return {"kept": self._kept, "weights": dict(self._weights)} if self._weights else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        kept, weights = state.get("kept", 0), state.get("weights", {})
        if type(kept) is not int or not isinstance(weights, dict) or not all(
                isinstance(each, np.ndarray) for each in weights.values()):
            raise ValueError("the state of EarlyStopping has no weights of an epoch")
        self._kept, self._weights = kept, dict(weights)

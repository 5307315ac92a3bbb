"""When a fit ends: no figure has become better for some epochs."""

from __future__ import annotations

import numpy as np

from fastnn.training.callbacks import Callback, Training


class NoChange(Callback):
    """Stop after more than `patience` epochs in a row without a gain of `tol`, as MLPClassifier.

    figure: of the history, and sign: 1 if larger is better, -1 if smaller. keeps: whether the
    weights of the best epoch are put back at the end.
    """

    def __init__(self, figure: str, sign: int, tol: float, patience: int, keeps: bool) -> None:
        self.figure, self.sign, self.tol, self.patience = figure, sign, tol, patience
        self.keeps, self.best, self.waited = keeps, -np.inf, 0
        self.stopped = False
        self._weights: dict[str, np.ndarray] = {}

    def on_epoch_end(self, trainer: Training) -> None:
        value = self.sign * float(trainer.history[-1][self.figure])
        self.waited = 0 if value > self.best + self.tol else self.waited + 1
        if value > self.best:
            self.best = value
            if self.keeps:
                self._weights = {name: array.copy()
                                 for name, array in trainer.model.state_dict().items()}
        if self.waited > self.patience:
            trainer.stop = self.stopped = True

    def on_fit_end(self, trainer: Training) -> None:
        if self._weights:
            trainer.model.load_state_dict(self._weights)

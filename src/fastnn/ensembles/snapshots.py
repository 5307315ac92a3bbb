"""Snapshot ensembles: train once, keep the weights at the end of each cosine cycle."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.ensembles.ensemble import Ensemble
from fastnn.nn.module import Module
from fastnn.runtime.locks import process_lock
from fastnn.training.callbacks import Callback, Training


class Snapshots(Callback):
    """Keep the weights at the ends of cycles, where the rate is lowest; an ensemble of one run.

    For `optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0, T_mult)` with the same T_0
    and T_mult: cycles end after T_0, T_0 (1 + T_mult), ... epochs. last: how many of the newest
    snapshots are kept, None for all; each is a copy of all weights, also in checkpoints.

    `epochs`: those after which a snapshot was taken. `ensemble(model)` makes the ensemble.

    Raises ValueError for cycles of no epochs.

    Source: Huang, Li, Pleiss, Liu, Hopcroft and Weinberger, "Snapshot ensembles: train 1, get M for
    free" (2017).

    >>> import numpy as np, fastnn as fn
    >>> model = fn.nn.Linear(2, 2)
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.5)
    >>> schedule = fn.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> snapshots = Snapshots(2)
    >>> trainer = fn.Trainer(model, "cross_entropy", optimizer, schedule, callbacks=[snapshots])
    >>> history = trainer.fit((np.eye(2, dtype=np.float32), np.arange(2)), epochs=6)
    >>> snapshots.epochs, len(snapshots.ensemble(model))
    ([2, 4, 6], 3)
    """

    def __init__(self, T_0: int, T_mult: int = 1, last: int | None = None) -> None:
        self.T_0 = integer(T_0, "T_0", "an integer from 1 on", 1)
        self.T_mult = integer(T_mult, "T_mult", "an integer from 1 on", 1)
        self.last = last if last is None else integer(
            last, "last", "an integer from 1 on or None", 1)
        self.epochs: list[int] = []
        self._states: list[dict[str, np.ndarray]] = []

    def is_end(self, epoch: int) -> bool:
        """Whether a cycle ends after so many epochs."""
        end, length = self.T_0, self.T_0
        while end < epoch:
            length *= self.T_mult
            # Of equal cycles the one that ends here or later, at once.
            end += length if self.T_mult > 1 else -(-(epoch - end) // length) * length
        return end == epoch

    def on_fit_begin(self, trainer: Training) -> None:
        if trainer.batch == 0:  # a checkpoint may have been written before this saw the epoch
            self.on_epoch_end(trainer)

    def on_epoch_end(self, trainer: Training) -> None:
        if self.is_end(trainer.epoch) and trainer.epoch not in self.epochs:
            with process_lock:
                state = {name: array.copy() for name, array in trainer.model.state_dict().items()}
            kept = 0 if self.last is None else -self.last
            self.epochs = [*self.epochs, trainer.epoch][kept:]
            self._states = [*self._states, state][kept:]

    def ensemble(self, model: Module) -> Ensemble:
        """An ensemble of copies of the model, the trainer's or one like it, with these weights.

        Raises ValueError if there are no snapshots, KeyError or ShapeError for another model.
        """
        instance(model, "model", Module)
        if not self._states:
            raise ValueError(f"there are no snapshots; the first cycle ends after {self.T_0} "
                             "epochs")
        members = []
        for state in self._states:
            members.append(copy.deepcopy(model))
            members[-1].load_state_dict(state)
        return Ensemble(members)

    def state_dict(self) -> dict[str, Any]:
        """The snapshots and their epochs."""
        return {"epochs": list(self.epochs), "weights": list(self._states)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        epochs, states = state.get("epochs"), state.get("weights")
        if not isinstance(epochs, list) or not isinstance(states, list) or (
                len(epochs) != len(states)) or not all(
                type(epoch) is int for epoch in epochs) or not all(
                isinstance(each, dict) for each in states):
            raise ValueError("the state of Snapshots has no weights of epochs")
        self.epochs, self._states = list(epochs), [dict(each) for each in states]

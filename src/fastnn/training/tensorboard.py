"""Figures of a training as event files, which TensorBoard shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.files.regular import Path
from fastnn.training.callbacks import Callback, Training

HELP = 'event files need tensorboardX: pip install "fastnn[tensorboard]"'
APART = ("epoch", "seconds")  # of a record of the history, what is no curve


def writer_class() -> Callable[..., Any]:
    """The class that writes event files. Raises ImportError that says how to install it."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(HELP) from error
    found: Callable[..., Any] = SummaryWriter
    return found


class TensorBoard(Callback):
    """Write figures of each epoch for TensorBoard: `tensorboard --logdir log_dir` shows them.

    Figures of training go to log_dir/train and those of validation to log_dir/validation, under
    the same names (loss, accuracy, lr, ...): TensorBoard draws them in one picture, over epochs.
    A resumed training goes on where its checkpoint was made: what was written after that is purged.

    log_dir: the folder. histogram_freq: every how many epochs the distributions of all weights are
    written too; 0 for never. update_freq: "epoch", or every how many batches their loss is written
    too, as loss over steps, in log_dir/batches; "batch" for each.

    Raises ImportError without tensorboardX, TypeError, ValueError for other arguments.

    >>> TensorBoard("logs", update_freq=0)
    Traceback (most recent call last):
        ...
    ValueError: update_freq must be 'epoch', 'batch' or an integer from 1 on, got 0
    """

    def __init__(
        self, log_dir: Path = "logs", histogram_freq: int = 0, update_freq: str | int = "epoch"
    ) -> None:
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = integer(histogram_freq, "histogram_freq", "an integer from 0 on", 0)
        named = {"epoch": 0, "batch": 1}
        self._batches = named[update_freq] if isinstance(update_freq, str) and (
            update_freq in named) else integer(
                update_freq, "update_freq", "'epoch', 'batch' or an integer from 1 on", 1)
        self._make = writer_class()
        self._writers: dict[str, Any] = {}  # by the names of their folders
        self._begun = 0, 0  # epochs and steps that were done when the fit began

    def on_fit_begin(self, trainer: Training) -> None:
        self._close()
        self._begun = trainer.epoch, trainer.steps

    def on_batch_end(self, trainer: Training) -> None:
        if self._batches and trainer.steps % self._batches == 0 and trainer.batch_loss is not None:
            self._writer("batches").add_scalar("loss", trainer.batch_loss, trainer.steps)

    def on_epoch_end(self, trainer: Training) -> None:
        for name, value in trainer.history[-1].items():
            if name in APART or isinstance(value, np.ndarray):
                continue
            part = "validation" if name.startswith("validation_") else "train"
            self._writer(part).add_scalar(name.removeprefix("validation_"), value, trainer.epoch)
        if self.histogram_freq and trainer.epoch % self.histogram_freq == 0:
            for name, parameter in trainer.model.named_parameters():
                self._writer("train").add_histogram(name, np.asarray(parameter.data),
                                                    trainer.epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_error(self, trainer: Training) -> None:
        self._close()

    def on_fit_end(self, trainer: Training) -> None:
        self._close()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            done = self._begun[part == "batches"]
            self._writers[part] = self._make(  # two files of a second would have one name
                os.path.join(self.log_dir, part), purge_step=done + 1 if done else None,
                filename_suffix=f".{time.time_ns()}")
        return self._writers[part]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

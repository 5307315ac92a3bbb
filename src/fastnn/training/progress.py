"""Show training progress: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from fastnn.training.callbacks import Callback, Training


def figures(values: dict[str, Any], prefix: str = "") -> str:
    """Loss and metrics as text.

    >>> figures({"epoch": 1, "loss": 0.25, "accuracy": 0.5, "lr": 0.1})
    'loss 0.2500  accuracy 0.5000'
    """
    others = ("epoch", "lr", "momentum", "seconds") if prefix else (
        "epoch", "lr", "momentum", "seconds", "validation_")
    return "  ".join(f"{name.removeprefix(prefix)} {value:.4f}" for name, value in values.items()
                     if name.startswith(prefix) and not name.startswith(others)
                     and isinstance(value, float))


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(7.4), duration(75), duration(3700)
    ('7 s', '1:15', '1:01:40')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    clock = f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else clock


class ProgressBar(Callback):
    """Loss, accuracy, images/s and time left while training; a line after each epoch.

    stream: where to; a live bar if it is a terminal, else a plain line every `seconds`.
    """

    def __init__(self, stream: TextIO | None = None, seconds: float = 5.0) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.seconds = seconds
        self._bar: Any = None

    def on_fit_begin(self, trainer: Training) -> None:
        self._started = self._shown = time.monotonic()
        self._done = self._images = 0
        if self.stream.isatty():
            self._bar = _rich_bar(self.stream)
            self._task = self._bar.add_task("", total=None, text="")
            self._bar.start()

    def on_batch_end(self, trainer: Training) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._shown < (0.1 if self._bar else self.seconds):
            return
        self._shown = now
        values = trainer.averages.values("loss", "accuracy")  # others may take long
        text = f"{figures(values)}  {self._speed(trainer, now)}"
        epoch = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
        if self._bar:
            self._bar.update(self._task, description=epoch, completed=trainer.batch,
                             total=trainer.batches or None, text=text)
        else:
            of = f"/{trainer.batches}" if trainer.batches else ""
            self._line(f"{epoch}  batch {trainer.batch}{of}  {text}")

    def _speed(self, trainer: Training, now: float) -> str:
        rate = trainer.averages.examples / max(trainer.seconds, 1e-9)
        text = f"{rate:,.0f} images/s"
        if trainer.batches:
            left = (trainer.epochs - trainer.epoch) * trainer.batches - trainer.batch
            text += f"  {duration(left * (now - self._started) / self._done)} left"
        return text

    def on_epoch_end(self, trainer: Training) -> None:
        record = trainer.history[-1]
        width = len(str(trainer.epochs))
        text = (f"epoch {record['epoch']:{width}d}/{trainer.epochs}  "
                f"training: {figures(record)}")
        if "validation_loss" in record:
            text += f"   validation: {figures(record, 'validation_')}"
        self._line(f"{text}   {duration(record['seconds'])}")

    def on_error(self, trainer: Training) -> None:
        self.close()

    def on_fit_end(self, trainer: Training) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(text, highlight=False, soft_wrap=True)
        else:
            print(text, file=self.stream, flush=True)


def _rich_bar(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(TextColumn("{task.description}"), BarColumn(bar_width=24),
                    TextColumn("{task.completed}/{task.total}"), TextColumn("{task.fields[text]}"),
                    console=Console(file=stream), transient=True)

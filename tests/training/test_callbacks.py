"""Callbacks by themselves: when they stop, what they have saved, and when."""

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import Callback, CheckpointCallback, EarlyStopping, History, WeightsCallback
from fastnn.training.files import reading

X = np.random.default_rng(0).standard_normal((8, 3), dtype=np.float32)
Y = np.arange(8) % 2


def stopped_after(values: list[float], patience: int, monitor: str) -> int | None:
    """The epoch after which training stops, from 1 on; None if it goes on."""
    trainer: Any = SimpleNamespace(history=[], stop=False, first_epoch=0)
    callback = EarlyStopping(monitor, patience)
    for epoch, value in enumerate(values, 1):
        trainer.history.append({"epoch": epoch, monitor: value})
        callback.on_epoch_end(trainer)
        if trainer.stop:
            return epoch
    return None


@pytest.mark.parametrize(("monitor", "values", "patience", "expected"), [
    ("validation_loss", [1.0, 0.5, 0.6, 0.7, 0.4], 2, 4),
    ("validation_loss", [1.0, 0.5, 0.6, 0.7, 0.4], 3, None),
    ("validation_loss", [1.0, 1.1], 1, 2), ("validation_loss", [1.0, 1.0, 1.0], 2, 3),
    ("validation_loss", [5.0, 4.0, 3.0, 2.0, 1.0], 1, None),
    ("validation_loss", [1.0, 2.0, 0.9, 2.0, 3.0, 4.0], 3, 6),
    ("validation_accuracy", [0.1, 0.2, 0.3, 0.4, 0.5], 1, None),
    ("validation_accuracy", [0.5, 0.4, 0.3, 0.2], 2, 3),
    ("accuracy", [0.5, 0.5, 0.5], 2, 3), ("loss", [0.3, 0.4, 0.2, 0.2, 0.2], 2, 5),
])
def test_early_stopping_counts_epochs_without_a_better_one(
    monitor: str, values: list[float], patience: int, expected: int | None
) -> None:
    assert stopped_after(values, patience, monitor) == expected


def test_early_stopping_wants_a_figure_that_is_there() -> None:
    trainer: Any = SimpleNamespace(history=[{"epoch": 1, "loss": 0.5}], first_epoch=0)
    with pytest.raises(ValueError, match="no 'validation_loss' in the history, it has epoch, loss"):
        EarlyStopping().on_epoch_end(trainer)
    with pytest.raises(ValueError, match=r"patience must be an integer from 1 on, got 0"):
        EarlyStopping(patience=0)


def position(path: Path) -> tuple[int, int, int] | None:
    """(epoch, batch, steps) of a checkpoint."""
    if not path.exists():
        return None
    with reading(path) as file:
        state = json.loads(file.metadata["state"])["state"]
    return state["epoch"], state["batch"], state["steps"]


class Watch(Callback):
    """Notes what the checkpoint has after each event; stands behind the one that saves."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen = path, dict[str, list[Any]]()

    def _note(self, event: str) -> None:
        self.seen.setdefault(event, []).append(position(self.path))

    def on_fit_begin(self, trainer: Any) -> None:
        self._note("begin")

    def on_batch_end(self, trainer: Any) -> None:
        self._note("batch")

    def on_epoch_end(self, trainer: Any) -> None:
        self._note("epoch")

    def on_fit_end(self, trainer: Any) -> None:
        self._note("end")


def train(*callbacks: Callback, epochs: int = 2) -> fn.Trainer:
    model = nn.Linear(3, 2)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                         callbacks=callbacks)
    trainer.fit((X, Y), (X, Y), epochs=epochs, batch_size=2)
    return trainer


def test_a_checkpoint_at_the_start_and_after_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "c"
    watch = Watch(path)
    train(CheckpointCallback(path, seconds=None), watch)
    assert watch.seen["begin"] == [(0, 0, 0)] and watch.seen["epoch"] == [(1, 0, 4), (2, 0, 8)]
    assert watch.seen["batch"] == [(0, 0, 0)] * 4 + [(1, 0, 4)] * 4
    assert watch.seen["end"] == [(2, 0, 8)]


@pytest.mark.parametrize(("options", "expected"), [
    ({"seconds": None, "batches": 2}, [(0, 0, 0), (0, 2, 2), (0, 2, 2), (0, 4, 4)]),
    ({"seconds": None, "batches": 1}, [(0, n, n) for n in (1, 2, 3, 4)]),
    ({"seconds": 0.0}, [(0, n, n) for n in (1, 2, 3, 4)]),
    ({"seconds": 1e9}, [(0, 0, 0)] * 4),
])
def test_checkpoints_within_an_epoch(
    tmp_path: Path, options: dict[str, Any], expected: list[Any]
) -> None:
    watch = Watch(tmp_path / "c")
    train(CheckpointCallback(tmp_path / "c", **options), watch, epochs=1)
    assert watch.seen["batch"] == expected


def test_a_clock_starts_anew_with_each_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(0, 1000, 4))  # seconds, four from one look at the clock to the next
    monkeypatch.setattr("fastnn.training.callbacks.time",
                        SimpleNamespace(monotonic=lambda: float(next(times))))
    watch = Watch(tmp_path / "c")
    train(CheckpointCallback(tmp_path / "c", seconds=8.0), watch, epochs=1)
    assert watch.seen["batch"] == [(0, 0, 0), (0, 2, 2), (0, 2, 2), (0, 4, 4)]


def test_weights_and_history_after_each_epoch(tmp_path: Path) -> None:
    class Compare(Callback):
        def on_epoch_end(self, trainer: fn.Trainer) -> None:
            other = nn.Linear(3, 2)
            fn.load(tmp_path / "w", other)
            same.append(np.array_equal(other.weight.data, trainer.model.weight.data))
            lines.append((tmp_path / "h").read_text().count("\n"))

    same: list[bool] = []
    lines: list[int] = []
    trainer = train(WeightsCallback(tmp_path / "w"), History(tmp_path / "h"), Compare(), epochs=3)
    assert same == [True] * 3 and lines == [1, 2, 3]
    assert [json.loads(line) for line in (tmp_path / "h").read_text().splitlines()] \
        == trainer.history


@pytest.mark.parametrize(("number", "error"), [
    (signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_signal_during_validation_acts_after_it(
    tmp_path: Path, number: signal.Signals, error: type[BaseException], epochs: int
) -> None:
    """Also after the last one, where no batch comes any more."""
    class HeldOut:
        def __iter__(self) -> Any:
            signal.raise_signal(number)
            yield X, Y

    model = nn.Linear(3, 2)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                         callbacks=[CheckpointCallback(tmp_path / "c", seconds=None)])
    with pytest.raises(error, match="stopped after epoch 1; to go on"):
        trainer.fit((X, Y), HeldOut(), epochs=epochs, batch_size=4)
    assert position(tmp_path / "c") == (1, 0, 2) and len(trainer.history) == 1
    history = trainer.fit((X, Y), epochs=epochs, batch_size=4)
    assert len(history) == epochs

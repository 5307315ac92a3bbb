"""Training with batches that a thread draws: the same bits, a thread that ends, and budgets."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, Compose, Prefetch, RandomHorizontalFlip, RandomShift
from fastnn.training import Callback, CheckpointCallback
from fastnn.training.room import MEASURED, Room
from fastnn.training.sources import source

X = np.random.default_rng(0).normal(size=(50, 2, 6, 6)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 50)
AUGMENT = Compose(RandomShift(1), RandomHorizontalFlip())


def make_trainer(callbacks: Any = (), budget: Any = None) -> fn.Trainer:
    fn.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                          nn.Dropout(0.3), nn.Linear(64, 3))
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.05),
                      memory_budget=budget, callbacks=callbacks)


def weights(trainer: fn.Trainer) -> list[bytes]:
    return [array.tobytes() for array in trainer.model.state_dict().values()]


def threads() -> int:
    return sum(thread.name == "fastnn prefetch" for thread in threading.enumerate())


DATA: dict[str, Any] = {
    "arrays": lambda: (X, Y),
    "batches": lambda: Batches(X, Y, 8, seed=5, transform=AUGMENT),
    "not in place": lambda: Batches(X, Y, 8, seed=5, transform=lambda x, generator: x + 1),
    "iterable": lambda: [(X[i:i + 8], Y[i:i + 8]) for i in range(0, 50, 8)],
}


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_bits_are_those_without_a_thread(kind: str, count: int) -> None:
    expected = make_trainer()
    expected.fit(DATA[kind](), epochs=2, batch_size=8, seed=1)
    trainer = make_trainer()
    trainer.fit(DATA[kind](), epochs=2, batch_size=8, seed=1, prefetch=count)
    assert weights(trainer) == weights(expected) and threads() == 0


def test_a_prefetch_is_data_too() -> None:
    expected = make_trainer()
    expected.fit(DATA["batches"](), (X, Y), epochs=1)
    trainer = make_trainer()
    trainer.fit(Prefetch(DATA["batches"](), 2), Prefetch(Batches(X, Y, 256, shuffle=False)),
                epochs=1)
    assert weights(trainer) == weights(expected)
    assert trainer.history[-1]["validation_loss"] == expected.history[-1]["validation_loss"]


class Crash(Exception):
    pass


class StopAt(Callback):
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_batch_end(self, trainer: Any) -> None:
        if trainer.steps == 10:
            raise self.error


@pytest.mark.parametrize("kind", ["arrays", "batches", "iterable"])
def test_a_run_resumes_in_mid_epoch(kind: str, tmp_path: Path) -> None:
    whole = make_trainer()
    whole.fit(DATA[kind](), epochs=3, batch_size=8, seed=1)
    path = tmp_path / "c.safetensors"
    stopped = make_trainer([CheckpointCallback(path, batches=1), StopAt(Crash)])
    with pytest.raises(Crash):
        stopped.fit(DATA[kind](), epochs=3, batch_size=8, seed=1, prefetch=2)
    assert threads() == 0
    resumed = make_trainer()
    resumed.resume(path)
    assert resumed.batch == 3
    resumed.fit(DATA[kind](), epochs=3, batch_size=8, seed=1, prefetch=2)
    assert weights(resumed) == weights(whole)


@pytest.mark.parametrize("error", [Crash, KeyboardInterrupt, SystemExit])
def test_the_thread_ends_with_an_error(error: type[BaseException]) -> None:
    with pytest.raises(error):
        make_trainer([StopAt(error)]).fit((X, Y), epochs=3, batch_size=8, prefetch=2)
    assert threads() == 0


def test_nan_is_named_by_its_batch() -> None:
    bad = X.copy()
    bad[20] = np.nan
    data = [(bad[i:i + 8], Y[i:i + 8]) for i in range(0, 50, 8)]
    with pytest.raises(fn.NonFiniteError, match="epoch 1, batch 3: x has"):
        make_trainer().fit(data, epochs=1, prefetch=3)
    assert threads() == 0


def test_a_budget_counts_the_batches_ahead_and_measures_without_a_thread() -> None:
    drawn_by = []

    def batches() -> Iterator[Any]:
        for i in range(0, 50, 8):
            drawn_by.append(threading.current_thread() is threading.main_thread())
            yield X[i:i + 8], Y[i:i + 8]

    trainer = make_trainer(budget="8GiB")
    trainer.fit(batches, epochs=2, prefetch=2)
    assert drawn_by == [True] * MEASURED + [False] * (14 - MEASURED)
    expected = make_trainer()
    expected.fit(batches, epochs=2)
    assert weights(trainer) == weights(expected)


@pytest.mark.parametrize("kind", ["arrays", "iterable"])
def test_what_is_reserved(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {}
    monkeypatch.setattr("fastnn.training.room.growth",
                        lambda: contextlib.nullcontext(SimpleNamespace(bytes=0)))
    for ahead in (0, 3):
        data = source(DATA[kind](), 8, True, prefetch=ahead)
        step = make_trainer(budget="8GiB").train_step
        step.look()
        room = Room(step, data)
        room.draw(data.epoch(0))
        others[ahead] = room.others
    if kind == "arrays":  # its own memory is resident before plans are made
        assert others[3] == others[0]
    else:
        assert others[3] - others[0] == 3 * 8 * (2 * 6 * 6 * 4 + 8)


def test_batches_of_arrays_are_drawn_in_their_own_memory_and_no_more() -> None:
    data = source((X, Y), 8, True, prefetch=2)
    places = [x.ctypes.data for epoch in range(2) for x, _ in data.epoch(epoch)]
    assert len(set(places)) == 3
    assert places[:6] == places[3:9] and places[7] == places[1]

"""Trainer: averages, modes, sources of batches, errors, and resuming to the same bits."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, RandomShift
from fastnn.training import (
    Callback,
    CheckpointCallback,
    EarlyStopping,
    History,
    WeightsCallback,
)


def examples(count: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(count, 2, 6, 6)).astype(np.float32),
            generator.integers(0, 3, count))


def make_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                         nn.Dropout(0.3), nn.Linear(64, 3))


def make_trainer(
    callbacks: Any = (), optimizer: str = "sgd", schedule: str = "cosine"
) -> fn.Trainer:
    fn.manual_seed(3)
    model = make_net()
    made: optim.Optimizer = (
        optim.SGD(model.parameters(), lr=0.05, momentum=0.9) if optimizer == "sgd"
        else optim.AdamW(model.parameters(), lr=0.01))
    plans = {"cosine": lambda: optim.CosineAnnealingLR(made, 3),
             "one-cycle": lambda: optim.OneCycleLR(made, 0.05, 3 * 7), "none": lambda: None}
    return fn.Trainer(model, nn.CrossEntropyLoss(), made, plans[schedule](), callbacks=callbacks)


def weights(trainer: fn.Trainer) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in trainer.model.state_dict().items()}


class Crash(Exception):
    pass


class StopAt(Callback):
    def __init__(self, step: int, error: type[BaseException] = Crash) -> None:
        self.step, self.error = step, error

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        if trainer.steps == self.step:
            raise self.error


@pytest.mark.parametrize("source", ["arrays", "batches", "list"])
@pytest.mark.parametrize(("optimizer", "schedule"),
                         [("sgd", "cosine"), ("adamw", "one-cycle"), ("sgd", "none")])
@pytest.mark.parametrize("stop", [1, 7, 12])
def test_a_resumed_run_ends_in_the_same_bits(
    tmp_path: Path, source: str, optimizer: str, schedule: str, stop: int
) -> None:
    x, y = examples()
    data: Any = {"arrays": lambda: (x, y),
                 "batches": lambda: Batches(x, y, 8, seed=5, transform=RandomShift(1)),
                 "list": lambda: [(x[i:i + 8], y[i:i + 8]) for i in range(0, 50, 8)]}[source]()
    held_out = examples(20, seed=1)
    whole = make_trainer(optimizer=optimizer, schedule=schedule)
    expected = whole.fit(data, held_out, epochs=3, batch_size=8)

    path = tmp_path / "c.safetensors"
    stopped = make_trainer([CheckpointCallback(path, batches=1), StopAt(stop)], optimizer, schedule)
    with pytest.raises(Crash):
        stopped.fit(data, held_out, epochs=3, batch_size=8)
    fn.manual_seed(99)  # the random state comes back with the checkpoint
    resumed = make_trainer(optimizer=optimizer, schedule=schedule)
    fn.manual_seed(77)
    resumed.resume(path)
    assert resumed.steps == stop
    history = resumed.fit(data, held_out, epochs=3, batch_size=8)
    assert weights(resumed) == weights(whole)
    for record, wanted in zip(history, expected, strict=True):
        assert {**record, "seconds": 0} == {**wanted, "seconds": 0}


def test_fit_again_after_an_error_goes_on_where_it_stopped() -> None:
    whole, stopped = make_trainer(), make_trainer([StopAt(9)])
    fn.manual_seed(3)
    whole.fit(examples(), epochs=2, batch_size=8)
    fn.manual_seed(3)
    with pytest.raises(Crash):
        stopped.fit(examples(), epochs=2, batch_size=8)
    stopped.fit(examples(), epochs=2, batch_size=8)
    assert weights(stopped) == weights(whole)


def test_validation_does_not_change_training() -> None:
    with_it, without = make_trainer(), make_trainer()
    for trainer, held_out in ((with_it, examples(9, seed=2)), (without, None)):
        fn.manual_seed(3)
        trainer.fit(examples(), held_out, epochs=2, batch_size=8)
    assert weights(with_it) == weights(without)


def test_history_and_averages_over_a_smaller_last_batch() -> None:
    trainer = make_trainer()
    x, y = examples(10)
    history = trainer.fit((x, y), validation=(x, y), epochs=2, batch_size=4)
    assert [record["epoch"] for record in history] == [1, 2]
    assert set(history[0]) == {"epoch", "loss", "accuracy", "validation_loss",
                               "validation_accuracy", "lr", "seconds"}
    whole, parts = trainer.evaluate((x, y), 10), trainer.evaluate((x, y), 4)
    assert whole["loss"] == pytest.approx(parts["loss"], rel=1e-6)
    assert whole["accuracy"] == parts["accuracy"]
    trainer.model.eval()
    logits = trainer.model(x).astype(np.float64)
    chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert whole["loss"] == pytest.approx(-chances[np.arange(10), y].mean(), rel=1e-5)
    assert whole["accuracy"] == (logits.argmax(axis=1) == y).mean()


def test_evaluate_puts_every_mode_and_the_random_state_back() -> None:
    trainer = make_trainer()
    trainer.model.train()
    trainer.model.get_submodule("1").eval()
    state = fn.get_rng_state()
    running = trainer.model.state_dict()["1.running_mean"].copy()
    trainer.evaluate(examples(5))
    modes = [module.training for module in trainer.model.children()]
    assert modes == [True, False, True, True, True, True]
    assert fn.get_rng_state() == state
    assert np.array_equal(trainer.model.state_dict()["1.running_mean"], running)


class Noisy(nn.Module):
    """Draws in use too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Any) -> Any:
        return fn.dropout(self.layer(x), 0.5, training=True)


def test_an_evaluation_that_draws_leaves_the_random_state_as_it_was() -> None:
    model = Noisy()
    trainer = fn.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    x, y = np.ones((7, 3), np.float32), np.ones((7, 2), np.float32)
    state = fn.get_rng_state()
    first = trainer.evaluate((x, y))
    assert fn.get_rng_state() == state and trainer.evaluate((x, y)) == first
    model(x)
    assert fn.get_rng_state() != state


def test_regression_has_no_accuracy() -> None:
    model = nn.Linear(3, 2)
    trainer = fn.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    x, y = np.ones((7, 3), np.float32), np.ones((7, 2), np.float32)
    history = trainer.fit((x, y), validation=(x, y), epochs=20, batch_size=4)
    assert "accuracy" not in history[0] and "validation_accuracy" not in history[0]
    assert set(trainer.evaluate((x, y))) == {"loss"}
    assert history[-1]["validation_loss"] < 0.1 * history[0]["loss"]


def test_any_iterable_of_batches_works_but_not_an_exhausted_one() -> None:
    class Loader:
        def __iter__(self) -> Iterator[Any]:
            x, y = examples(12)
            yield x[:8], y[:8]
            yield x[8:], y[8:]

    trainer = make_trainer()
    assert len(trainer.fit(Loader(), validation=Loader(), epochs=2)) == 2
    with pytest.raises(ValueError, match="only once"):
        trainer.fit(iter(Loader()), epochs=2)


@pytest.mark.parametrize(("data", "message"), [
    (np.zeros((3, 2)), "got ndarray"), ("text", "got str"), ((1, 2, 3), "must be"),
    (((np.zeros((3, 2)), 1), np.zeros(3)), r"got \(tuple, ndarray\); for several inputs"),
    ([np.zeros(3)], "batch 1: expected a pair"),
    ((np.zeros((0, 2, 6, 6)), np.zeros(0, int)), "at least one example"),
    ((np.zeros((3, 2, 6, 6)), np.zeros(4, int)), "differ"),
    ((np.zeros((3, 2, 6, 6), "c8"), np.zeros(3, int)), "complex64"),
    ((np.zeros((3, 2, 6, 6)), np.array([0, 1, 3])), "class numbers from 0 to 3"),
    ((np.full((3, 2, 6, 6), np.nan), np.zeros(3, int)), "example 0"),
])
def test_bad_data_is_named(data: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make_trainer().fit(data, epochs=1)


def test_strange_arrays_train_like_plain_ones() -> None:
    x, y = examples(12)
    frozen = x.copy()
    frozen.flags.writeable = False
    kinds = [x, x.astype(">f4"), x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2), frozen]
    results = []
    for array in kinds:
        trainer = make_trainer()
        trainer.fit((array, y.astype(">i2")), epochs=1, batch_size=5)
        results.append(weights(trainer))
    assert all(result == results[0] for result in results)


def test_nan_names_epoch_and_batch_and_the_last_checkpoint_is_good(tmp_path: Path) -> None:
    x, y = examples(16)
    bad = x[8:].copy()
    bad[3, 1, 2, 4] = np.nan
    path = tmp_path / "c.safetensors"
    trainer = make_trainer([CheckpointCallback(path, batches=1)])
    with pytest.raises(fn.NonFiniteError, match=r"epoch 1, batch 2: x .*\[3, 1, 2, 4\]"):
        trainer.fit([(x[:8], y[:8]), (bad, y[8:])], epochs=1)
    resumed = make_trainer()
    resumed.resume(path)
    assert resumed.batch == 1
    assert all(np.isfinite(array).all() for array in resumed.model.state_dict().values())


def test_weights_that_are_not_finite_never_replace_a_good_checkpoint(tmp_path: Path) -> None:
    class Ruin(Callback):
        def on_batch_end(self, trainer: fn.Trainer) -> None:
            if trainer.steps == 2:
                next(trainer.model.parameters()).data[0, 0, 1, 1] = np.inf

    path = tmp_path / "c.safetensors"
    trainer = make_trainer([Ruin(), CheckpointCallback(path, batches=1)])
    with pytest.raises(fn.NonFiniteError, match=r"model\.0\.weight"):
        trainer.fit(examples(), epochs=1, batch_size=8)
    resumed = make_trainer()
    resumed.resume(path)
    assert resumed.steps == 1


def test_weights_that_are_not_finite_never_replace_good_ones(tmp_path: Path) -> None:
    class Ruin(Callback):
        def on_epoch_end(self, trainer: fn.Trainer) -> None:
            if trainer.epoch == 2:
                next(trainer.model.parameters()).data[0, 0, 1, 1] = np.inf

    path, every = tmp_path / "w.safetensors", tmp_path / "all.safetensors"
    trainer = make_trainer([Ruin(), WeightsCallback(every, allow_non_finite=True),
                            WeightsCallback(path)])
    with pytest.raises(fn.NonFiniteError, match=r"^0\.weight has"):
        trainer.fit(examples(), epochs=2, batch_size=8)
    fn.load(path, trainer.model)
    assert all(np.isfinite(array).all() for array in trainer.model.state_dict().values())
    fn.load(every, trainer.model)
    assert trainer.model.state_dict()["0.weight"][0, 0, 1, 1] == np.inf


def test_checkpoints_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    source = make_trainer([CheckpointCallback(path)])
    source.fit(examples(), epochs=1, batch_size=8)
    fn.save(tmp_path / "w.safetensors", source.model)
    for trainer, file, message in (
            (make_trainer(optimizer="adamw"), path, "optimizer"),
            (make_trainer(schedule="none"), path, "schedule"),
            (make_trainer(), tmp_path / "w.safetensors", "weights alone")):
        before, state = weights(trainer), fn.get_rng_state()
        with pytest.raises(fn.CheckpointError, match=message):
            trainer.resume(file)
        assert weights(trainer) == before and fn.get_rng_state() == state
        assert trainer.epoch == 0 and trainer.optimizer.steps == 0
    model = make_net()
    fn.load(path, model)  # weights alone can be read from a checkpoint
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == weights(source)


def test_early_stopping_and_history_lines(tmp_path: Path) -> None:
    x, _ = examples()
    model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].size, 3))  # no statistics that move
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.0),
                         callbacks=[EarlyStopping(patience=2), History(tmp_path / "h")])
    history = trainer.fit(examples(), validation=examples(8, 1), epochs=50, batch_size=25)
    assert len(history) == 3, "the first epoch, and two that are no better"
    assert (tmp_path / "h").read_text().count("\n") == len(history)


@pytest.mark.parametrize(("number", "error"), [
    (signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_saves_between_batches(
    tmp_path: Path, number: signal.Signals, error: type[BaseException]
) -> None:
    class Send(Callback):
        def on_batch_end(self, trainer: fn.Trainer) -> None:
            if trainer.steps == 3:
                signal.raise_signal(number)

    path = tmp_path / "c.safetensors"
    trainer = make_trainer([Send(), CheckpointCallback(path, seconds=None)])
    before = signal.getsignal(number)
    with pytest.raises(error, match="stopped in epoch 1 after batch 4"):
        trainer.fit(examples(), epochs=3, batch_size=8)
    assert signal.getsignal(number) is before
    whole, resumed = make_trainer(), make_trainer()
    resumed.resume(path)
    assert resumed.steps == 4
    resumed.fit(examples(), epochs=3, batch_size=8)
    fn.manual_seed(3)
    whole.fit(examples(), epochs=3, batch_size=8)
    assert weights(whole) == weights(resumed)


def test_a_second_ctrl_c_acts_at_once_and_an_applications_handler_stays() -> None:
    class Twice(Callback):
        def on_batch_end(self, trainer: fn.Trainer) -> None:
            signal.raise_signal(signal.SIGTERM)
            noted.append("first")
            signal.raise_signal(signal.SIGINT)
            noted.append("second")

    noted: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        make_trainer([Twice()]).fit(examples(), epochs=1, batch_size=8)
    assert noted == ["first"]
    before = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    try:
        make_trainer([StopAtSignal()]).fit(examples(), epochs=1, batch_size=8)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert noted == ["first", signal.SIGTERM]


class StopAtSignal(Callback):
    def on_batch_end(self, trainer: fn.Trainer) -> None:
        if trainer.steps == 1:
            signal.raise_signal(signal.SIGTERM)

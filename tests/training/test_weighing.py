"""Losses and accuracies of many batches are those of one: batches weigh as the loss weighs targets.

Each loss is compared with its float64 value over all examples at once, at every batch size.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches
from fastnn.training import Callback, accuracy
from fastnn.training.measures import Measures
from fastnn.training.metrics import Averages
from fastnn.training.state import check_state

WEIGHT = np.array([0.25, 3.0, 1.0], np.float32)
SIZES = (1, 3, 4, 7, 10)


class Around(nn.Module):
    """A loss of somebody's own, which does not say what it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.CrossEntropyLoss(WEIGHT, ignore_index=255)

    def forward(self, output: Any, target: Any) -> Any:
        return 0.5 * self.inner(output, target) + 2.0


class Counting(nn.Module):
    """Squares of what is not hidden, of targets (value, 1 where it counts), divided by that."""

    def forward(self, output: Any, target: Any) -> Any:
        value, counts = target[:, :3], target[:, 3:]
        return fn.sum(counts * fn.square(output - value)) / fn.sum(counts)

    def count(self, target: Any) -> float:
        return float(np.asarray(target)[:, 3:].sum())


def summed(output: Any, target: Any) -> Any:
    return fn.sum(fn.square(output - target))


summed.reduction = "sum"  # type: ignore[attr-defined]


def cross_entropy(
    logits: np.ndarray, y: np.ndarray, ignored: int, weight: Any = None, smoothing: float = 0.0
) -> tuple[float, float]:
    """(sum of losses, sum of weights) over the rows that count, in float64."""
    rows = np.moveaxis(log_softmax(logits.astype(np.float64), axis=1), 1, -1).reshape(-1, 3)
    labels = y.reshape(-1)
    weight = np.ones(3) if weight is None else weight.astype(np.float64)
    rows, labels = rows[labels != ignored], labels[labels != ignored]
    losses = -(1 - smoothing) * weight[labels] * rows[np.arange(len(labels)), labels]
    losses = losses - smoothing / 3 * (rows * weight).sum(1)
    return float(losses.sum()), float(weight[labels].sum())


def mean(*arguments: Any, **options: Any) -> float:
    total, weights = cross_entropy(*arguments, **options)
    return total / weights


# name -> (loss, its value from logits and y)
Twin = Callable[[np.ndarray, np.ndarray], float]
LOSSES: dict[str, tuple[Any, Twin]] = {
    "ignore_index": (nn.CrossEntropyLoss(ignore_index=255), lambda z, y: mean(z, y, 255)),
    "class weights": (nn.CrossEntropyLoss(WEIGHT, ignore_index=255),
                      lambda z, y: mean(z, y, 255, WEIGHT)),
    "weights, smoothing": (nn.CrossEntropyLoss(WEIGHT, ignore_index=255, label_smoothing=0.3),
                           lambda z, y: mean(z, y, 255, WEIGHT, 0.3)),
    "sum": (nn.CrossEntropyLoss(WEIGHT, ignore_index=255, reduction="sum"),
            lambda z, y: cross_entropy(z, y, 255, WEIGHT)[0]),
    "function": (lambda output, y: fn.cross_entropy(output, y, WEIGHT, ignore_index=255),
                 lambda z, y: mean(z, y, 255, WEIGHT)),
    "function, sum": (
        lambda output, y: fn.cross_entropy(output, y, ignore_index=255, reduction="sum"),
        lambda z, y: cross_entropy(z, y, 255)[0]),
    "module around it": (Around(), lambda z, y: 0.5 * mean(z, y, 255, WEIGHT) + 2.0),
}
REAL: dict[str, tuple[Any, Twin]] = {
    "squares": (nn.MSELoss(), lambda z, y: ((z - y) ** 2).mean()),
    "squares, sum": (nn.MSELoss(reduction="sum"), lambda z, y: ((z - y) ** 2).sum()),
    "function that says it is a sum": (summed, lambda z, y: ((z - y) ** 2).sum()),
}


def labels(*shape: int, ignored: int = 255) -> np.ndarray:
    """Classes, about four in ten of which do not count; of the first four none does."""
    rng = np.random.default_rng(1)
    y = np.where(rng.random(shape) < 0.4, ignored, rng.integers(0, 3, shape))
    y[:4] = ignored
    return y


def flat_trainer(loss: Any, **options: Any) -> tuple[fn.Trainer, np.ndarray]:
    """A trainer that changes nothing, and examples."""
    fn.manual_seed(5)
    model = nn.Linear(4, 3)
    trainer = fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0), **options)
    return trainer, np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_a_perfect_model_is_perfect_whatever_is_ignored(size: int) -> None:
    y = np.array([255, 0, 255, 2, 1, 255, 0, 255, 1, 1])
    x = 30.0 * np.eye(3, dtype=np.float32)[np.where(y == 255, 2, y)]
    trainer = fn.Trainer(nn.Flatten(), nn.CrossEntropyLoss(ignore_index=255),
                         optim.SGD([nn.Parameter(np.zeros(1))], lr=0.0))
    values = trainer.evaluate((x, y), batch_size=size)
    assert values["accuracy"] == 1.0
    assert values["loss"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", LOSSES)
def test_evaluation_is_that_of_one_batch(name: str, size: int) -> None:
    """Also at size 4, where nothing counts in the first batch."""
    loss, twin = LOSSES[name]
    trainer, x = flat_trainer(loss)
    y = labels(10)
    z = trainer.model(x)
    batches = [(x[i:i + size], y[i:i + size]) for i in range(0, 10, size)]
    values = trainer.evaluate(batches)
    assert values["loss"] == pytest.approx(twin(z, y), rel=2e-6)
    assert values["accuracy"] == (z.argmax(1) == y)[y != 255].mean()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", REAL)
def test_evaluation_of_real_targets_is_that_of_one_batch(name: str, size: int) -> None:
    loss, twin = REAL[name]
    trainer, x = flat_trainer(loss)
    y = np.random.default_rng(2).standard_normal((10, 3)).astype(np.float32)
    values = trainer.evaluate((x, y), batch_size=size)
    assert values == {"loss": pytest.approx(twin(trainer.model(x), y), rel=2e-6)}


@pytest.mark.parametrize("size", SIZES)
def test_a_loss_that_says_what_it_counts(size: int) -> None:
    trainer, x = flat_trainer(Counting())
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.standard_normal((10, 3)), rng.integers(0, 2, (10, 3))], 1)
    y[:, 3] = 1
    squares = y[:, 3:] * (trainer.model(x) - y[:, :3]) ** 2
    values = trainer.evaluate([(x[i:i + size], y[i:i + size]) for i in range(0, 10, size)])
    assert values["loss"] == pytest.approx(squares.sum() / y[:, 3:].sum(), rel=2e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ["class weights", "sum", "function"])
def test_evaluation_of_pixels(name: str, size: int) -> None:
    loss, twin = LOSSES[name]
    fn.manual_seed(0)
    model = nn.Conv2d(2, 3, 1)
    trainer = fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0))
    x = np.random.default_rng(0).standard_normal((6, 2, 4, 5)).astype(np.float32)
    y = labels(6, 4, 5)
    z = model(x)
    values = trainer.evaluate([(x[i:i + size], y[i:i + size]) for i in range(0, 6, size)])
    assert values["loss"] == pytest.approx(twin(z, y), rel=2e-6)
    assert values["accuracy"] == (z.argmax(1) == y)[y != 255].mean()


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("size", [3, 5, 10])
@pytest.mark.parametrize("name", LOSSES)
def test_the_history_is_that_of_one_batch(name: str, size: int, accumulate: int) -> None:
    loss, twin = LOSSES[name]
    trainer, x = flat_trainer(loss, accumulate=accumulate)
    y = np.roll(labels(10), 2)  # something counts in each batch, which a function's first needs
    z = trainer.model(x)
    batches = [(x[i:i + size], y[i:i + size]) for i in range(0, 10, size)]
    (record,) = trainer.fit(batches, validation=batches, epochs=1)
    for prefix in ("", "validation_"):
        assert record[f"{prefix}loss"] == pytest.approx(twin(z, y), rel=2e-6)
        assert record[f"{prefix}accuracy"] == (z.argmax(1) == y)[y != 255].mean()


def test_batches_of_lists_are_those_of_arrays() -> None:
    y = np.arange(10) % 3
    records = []
    for as_list in (False, True):
        trainer, x = flat_trainer(fn.nn.CrossEntropyLoss())
        batches = [(x[i:i + 4], y[i:i + 4]) for i in (0, 4, 8)]
        if as_list:
            batches = [(some.tolist(), classes.tolist()) for some, classes in batches]
        (record,) = trainer.fit(batches, validation=batches, epochs=1)
        records.append({name: value for name, value in record.items() if name != "seconds"})
    assert records[0] == records[1] and "validation_accuracy" in records[0]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", ["ignore_index", "class weights", "weights, smoothing"])
def test_a_batch_of_which_nothing_counts_makes_no_step(name: str, accumulate: int) -> None:
    trainer, x = flat_trainer(LOSSES[name][0], accumulate=accumulate)
    trainer.optimizer.lr = 0.5
    y = labels(10)
    before = trainer.model.state_dict()["weight"].copy()
    moved = []

    class Note(Callback):
        def on_batch_end(self, trainer: Any) -> None:
            moved.append(bool((trainer.model.state_dict()["weight"] != before).any()))

    trainer.callbacks.append(Note())
    batches = [(x[:4], y[:4]), (x[4:], y[4:])]
    (record,) = trainer.fit(batches, epochs=1)
    assert moved == [False, True]
    assert trainer.steps == 2 and trainer.optimizer.steps == 1
    assert np.isfinite(record["loss"])


def test_what_makes_no_sense_is_left_out() -> None:
    trainer, x = flat_trainer(nn.CrossEntropyLoss())
    y = np.full(10, -100)
    assert trainer.evaluate((x, y), batch_size=4) == {}
    (record,) = trainer.fit((x, y), epochs=1, batch_size=4)
    assert set(record) == {"epoch", "lr", "seconds"}


@pytest.mark.parametrize("ignored", [-100, -1, 255])
def test_arrays_may_hold_what_the_loss_ignores(ignored: int) -> None:
    y = labels(10, ignored=ignored)
    trainer, x = flat_trainer(nn.CrossEntropyLoss(ignore_index=ignored))
    z = trainer.model(x)
    (record,) = trainer.fit((x, y), validation=(x, y), epochs=1, batch_size=3)
    for name in ("loss", "validation_loss"):
        assert record[name] == pytest.approx(mean(z, y, ignored), rel=2e-6)
    assert trainer.evaluate((x, y))["accuracy"] == (z.argmax(1) == y)[y != ignored].mean()
    assert len(list(Batches(x, y, 4, ignore_index=ignored).epoch(0))) == 3


def test_class_numbers_that_no_loss_ignores_are_named_before_anything_is_done() -> None:
    trainer, x = flat_trainer(nn.CrossEntropyLoss())
    trainer.optimizer.lr = 0.5
    y = labels(10, ignored=-100)
    y[7] = -1
    before = trainer.model.state_dict()["weight"].copy()
    with pytest.raises(ValueError, match=r"class -1 \(example 7\).* ignore_index=-100"):
        trainer.fit((x, y), epochs=1, batch_size=2)
    assert trainer.steps == 0
    assert np.array_equal(trainer.model.state_dict()["weight"], before)
    with pytest.raises(ValueError, match=r"class -1 \(example 7\)"):
        Batches(x, y, 2)


def test_averages_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    class Stop(Callback):
        def on_batch_end(self, trainer: Any) -> None:
            if trainer.batch == 2:
                trainer.save(tmp_path / "c.safetensors")

    loss, twin = LOSSES["class weights"]
    trainer, x = flat_trainer(loss, callbacks=[Stop()])
    y = np.roll(labels(10), 2)
    batches = [(x[i:i + 3], y[i:i + 3]) for i in range(0, 10, 3)]
    expected = trainer.fit(batches, epochs=1)[0]
    resumed, _ = flat_trainer(loss)
    resumed.resume(tmp_path / "c.safetensors")
    record = resumed.fit(batches, epochs=1)[0]
    assert {**record, "seconds": 0} == {**expected, "seconds": 0}
    assert record["loss"] == pytest.approx(twin(trainer.model(x), y), rel=2e-6)


def test_sums_of_averages() -> None:
    averages = Averages()
    averages.add(2.0, 3.0, 4)
    averages.add(float("nan"), 0.0, 4)
    averages.add(5.0, 1.0, 2)
    assert averages.values() == {"loss": 11 / 4}
    again = Averages()
    again.load(averages.sums())
    again.add(1.0, 4.0, 1)
    assert again.values() == {"loss": 15 / 8} and again.examples == 11
    earlier = Averages(Measures())
    earlier.load({"loss": 6.0, "examples": 4, "right": 1, "counted": 2})
    assert earlier.values() == {"loss": 1.5, "accuracy": 0.5}
    earlier.reset()
    assert earlier.values() == {} and earlier.examples == 0


def test_a_function_may_say_what_it_ignores() -> None:
    def loss(output: Any, target: Any) -> Any:
        return fn.cross_entropy(output, target, ignore_index=-1)

    loss.ignore_index = np.int64(-1)  # type: ignore[attr-defined]
    trainer, x = flat_trainer(loss)
    y = labels(10, ignored=-1)
    z = trainer.model(x)
    (record,) = trainer.fit((x, np.roll(y, 2)), epochs=1, batch_size=5, shuffle=False)
    assert record["loss"] == pytest.approx(mean(z, np.roll(y, 2), -1), rel=2e-6)
    assert trainer.evaluate((x, y), batch_size=4)["loss"] == pytest.approx(mean(z, y, -1), rel=2e-6)


def test_a_checkpoint_of_an_earlier_version_goes_on() -> None:
    counts = dict(epoch=0, batch=2, steps=2, batches=4, first_epoch=0, most_examples=None)
    averages = {"loss": 6.0, "examples": 4, "right": 1, "counted": 2}
    state = {**counts, "unfinished": True, "seconds": 0.5, "history": [], "averages": averages}
    check_state(state)
    for wrong in ({"weight": -1.0}, {"weight": np.nan}, {"weights": 1.0}):
        with pytest.raises(ValueError, match="averages"):
            check_state({**state, "averages": {**averages, **wrong}})


def test_what_is_ignored_is_neither_right_nor_counted() -> None:
    output = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    target = np.array([0, 0, 1, 1])
    assert accuracy(output, target) == 0.5
    assert accuracy(output, target, ignore_index=1) == 0.5
    assert accuracy(output, np.array([0, -100, -100, 1])) == 1.0
    assert accuracy(output, target, ignore_index=0) == 0.5
    assert accuracy(output, np.array([0, -100, 1, -100])) == 0.5
    with pytest.raises(ValueError, match="accuracy needs"):  # one number for each, no classes
        accuracy(np.zeros(3), np.arange(3))
    with pytest.raises(ValueError, match="accuracy needs"):
        accuracy(output, np.full(4, 7), ignore_index=7)

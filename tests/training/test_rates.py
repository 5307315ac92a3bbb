"""The learning rate that each step of a Trainer is made with."""

import math
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import Callback


class Rates(Callback):
    """Rates of the steps, from what the first weight moved by: its gradient is 1 throughout."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.before = 0.0

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        weight = float(trainer.model.weight.data[0, 0])
        self.found.append(self.before - weight)
        self.before = weight


def output_itself(output: Any, target: Any) -> Any:
    return fn.mean(output) + 0.0 * fn.mean(target)


def by_batch(schedule: optim.LRScheduler) -> optim.LRScheduler:
    schedule.unit = "batch"
    return schedule


@pytest.mark.parametrize(("make", "expected"), [
    (lambda o: optim.OneCycleLR(o, 0.8, total_steps=8, pct_start=0.5, anneal_strategy="linear",
                                div_factor=4, final_div_factor=1, cycle_momentum=False),
     [0.2, 0.4, 0.6, 0.8, 0.65, 0.5, 0.35, 0.2]),
    (lambda o: optim.CosineAnnealingLR(o, 2),
     [(1 + math.cos(math.pi * batch / 8)) / 2 for batch in range(8)]),
    (lambda o: optim.LinearLR(o, 0.5, total_iters=1), [0.5, 0.625, 0.75, 0.875, 1, 1, 1, 1]),
    (lambda o: optim.StepLR(o, 1, 0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
    (lambda o: optim.ExponentialLR(o, 0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
    (lambda o: optim.CyclicLR(o, 0.2, 0.6, 2, cycle_momentum=False),
     [0.2, 0.4, 0.6, 0.4, 0.2, 0.4, 0.6, 0.4]),
    (lambda o: optim.CosineAnnealingWarmRestarts(o, 1),
     [(1 + math.cos(math.pi * batch / 4)) / 2 for batch in range(4)] * 2),
    (lambda o: by_batch(optim.SequentialLR(o, [optim.LinearLR(o, 0.25, total_iters=3),
                                               optim.ExponentialLR(o, 0.5)], [4])),
     [0.25, 0.5, 0.75, 1, 1, 0.5, 0.25, 0.125]),
    (lambda o: optim.MultiplicativeLR(o, lambda epoch: 0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
], ids=["one cycle", "cosine", "linear", "step", "exponential", "triangles", "restarts", "by batch",
        "multiplicative"])
def test_each_batch_has_the_rate_of_its_time(make: Any, expected: list[float]) -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data[...] = 0
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    noted = Rates()
    trainer = fn.Trainer(model, output_itself, optimizer, make(optimizer), callbacks=[noted])
    history = trainer.fit((np.ones((8, 1)), np.ones((8, 1))), epochs=2, batch_size=2)
    assert noted.found == pytest.approx(expected, rel=1e-5)
    assert [record["lr"] for record in history] == pytest.approx([expected[3], expected[7]])


def made(make: Any, callbacks: Any = ()) -> fn.Trainer:
    fn.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fn.Trainer(model, nn.CrossEntropyLoss(), optimizer, make(optimizer), callbacks=callbacks)


X = np.random.default_rng(0).standard_normal((8, 3), dtype=np.float32)
Y = np.arange(8) % 2


def test_epochs_beyond_the_end_of_a_schedule() -> None:
    """Refused before the first step where their batches are known, else at the step beyond."""
    known = made(lambda o: optim.OneCycleLR(o, 0.1, 9))
    with pytest.raises(ValueError, match="ends after 9 batches, the epochs have 12 in all"):
        known.fit((X, Y), epochs=3, batch_size=2)
    assert known.steps == 0
    assert len(known.fit((X, Y), epochs=2, batch_size=2)) == 2

    unknown = made(lambda o: optim.OneCycleLR(o, 0.1, 3))
    with pytest.raises(ValueError, match="ends after 3 batches, this would be another"):
        unknown.fit(Unsized(), epochs=1)
    assert unknown.steps == 3


class Unsized:
    """Batches of which it is not known how many there are."""

    def __iter__(self) -> Any:
        return iter([(X, Y)] * 4)


def test_a_plateau_follows_the_validation() -> None:
    """Reduced after the epoch, by the loss of the validation data."""
    trainer = made(lambda o: optim.ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.99))
    history = trainer.fit((X, Y), validation=(X, Y), epochs=4, batch_size=4)
    assert [record["lr"] for record in history] == [0.1, 0.1, 0.05, 0.025]
    assert trainer.schedule.best == history[0]["validation_loss"]
    assert trainer.optimizer.lr == 0.0125


@pytest.mark.parametrize(("monitor", "words"), [
    ("validation_loss", "which needs fit"), ("f1", "follows 'f1', the history has")])
def test_a_plateau_without_its_figure(monitor: str, words: str) -> None:
    trainer = made(lambda o: optim.ReduceLROnPlateau(o, monitor=monitor))
    with pytest.raises(ValueError, match=words):
        trainer.fit((X, Y), epochs=1, batch_size=4)
    assert trainer.epoch == 0 and trainer.history == []


def test_a_unit_that_there_is_not() -> None:
    trainer = made(lambda o: optim.StepLR(o, 1))
    trainer.schedule.unit = "week"
    with pytest.raises(ValueError, match=r"schedule\.unit must be one of"):
        trainer.fit((X, Y), epochs=1)


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        if trainer.steps == self.step:
            raise RuntimeError("stop")


@pytest.mark.parametrize("make", [
    lambda o: optim.ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.99),
    lambda o: optim.CyclicLR(o, 0.01, 0.2, 3, mode="exp_range", gamma=0.9),
    lambda o: optim.CosineAnnealingWarmRestarts(o, 1, 2),
    lambda o: optim.ChainedScheduler([optim.SequentialLR(
        o, [optim.LinearLR(o), optim.PolynomialLR(o, 3)], [1.5]), optim.StepLR(o, 2)]),
    lambda o: optim.SequentialLR(o, [
        optim.ChainedScheduler([optim.ConstantLR(o, 0.3, 1), optim.ExponentialLR(o, 0.7)]),
        optim.MultiplicativeLR(o, lambda epoch: 0.8), optim.swa_utils.SWALR(o, 0.05, 2)], [1, 2]),
], ids=["plateau", "cyclic", "restarts", "chain", "sequence"])
@pytest.mark.parametrize("stop", [3, 8, 13])
def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path: Any, make: Any, stop: int) -> None:
    data = dict(validation=(X, Y), epochs=4, batch_size=2)
    whole = made(make)
    expected = whole.fit((X, Y), **data)
    stopped = made(make, [StopAt(stop)])
    with pytest.raises(RuntimeError):
        stopped.fit((X, Y), **data)
    stopped.save(tmp_path / "c")
    resumed = made(make)
    resumed.resume(tmp_path / "c")
    found = resumed.fit((X, Y), **data)
    for name, array in whole.model.state_dict().items():
        assert resumed.model.state_dict()[name].tobytes() == array.tobytes()
    assert [record["lr"] for record in found] == [record["lr"] for record in expected]
    assert resumed.schedule.get_last_lr() == whole.schedule.get_last_lr()

"""EarlyStopping, ModelCheckpoint and the loggers: what they keep, restore and write."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import (
    Callback,
    CheckpointCallback,
    CSVLogger,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((10, 4)).astype(np.float32)
Y = RNG.integers(0, 2, 10)


class Script(Callback):
    """Gives epochs a figure, and notes the weights after each."""

    def __init__(self, values: list[float], name: str = "figure") -> None:
        self.values, self.name, self.weights = values, name, list[np.ndarray]()

    def on_epoch_end(self, trainer: Any) -> None:
        trainer.history[-1][self.name] = self.values[trainer.epoch - 1]
        self.weights.append(trainer.model.weight.data.copy())


def trainer(*callbacks: Any, groups: bool = False) -> fn.Trainer:
    fn.manual_seed(0)
    model = nn.Linear(4, 2)
    params: Any = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}] if groups \
        else model.parameters()
    return fn.Trainer(model, "cross_entropy", optim.SGD(params, lr=0.1, momentum=0.9),
                      callbacks=callbacks)


@pytest.mark.parametrize(("options", "values", "epochs", "best"), [
    ({"patience": 2}, [3.0, 2.0, 2.5, 2.2, 0.0], 4, 2),
    ({"patience": 2, "min_delta": 0.5}, [3.0, 2.8, 2.6, 0.0], 3, 1),
    ({"patience": 2, "mode": "max"}, [3.0, 4.0, 3.5, 3.9, 5.0], 4, 2),
    ({"patience": 2, "baseline": 1.0}, [3.0, 2.0, 0.5], 2, 0),
    ({"patience": 2, "baseline": 2.5}, [3.0, 2.0, 1.0, 0.5], 4, 4),
    ({"patience": 9}, [1.0, 2.0, 3.0], 3, 1),
])
def test_the_best_weights_come_back(
    options: dict[str, Any], values: list[float], epochs: int, best: int
) -> None:
    script = Script(values)
    stopping = EarlyStopping("figure", restore_best_weights=True, **options)
    made = trainer(script, stopping)
    assert len(made.fit((X, Y), epochs=len(values), batch_size=5)) == epochs
    assert stopping.best_epoch == best
    kept = script.weights[(best or epochs) - 1]
    assert np.array_equal(made.model.weight.data, kept)


@pytest.mark.parametrize(("monitor", "larger"), [
    ("validation_accuracy", True), ("top5", True), ("f1_macro", True), ("roc_auc", True),
    ("digit_precision", True), ("validation_loss", False), ("mae", False), ("topology", False)])
def test_the_direction_follows_from_the_name(monitor: str, larger: bool) -> None:
    assert EarlyStopping(monitor).sign == (-1 if larger else 1)
    assert EarlyStopping(monitor, mode="max").sign == -1
    assert ModelCheckpoint("x", monitor, "min").sign == 1


def test_each_fit_counts_anew() -> None:
    script = Script([1.0, 2.0, 3.0, 4.0, 3.5, 3.0])
    made = trainer(script, EarlyStopping("figure", 2))
    assert len(made.fit((X, Y), epochs=6, batch_size=5)) == 3
    assert len(made.fit((X, Y), epochs=3, batch_size=5)) == 3


@pytest.mark.parametrize("order", [0, 1])
def test_best_weights_survive_a_resume_even_if_saved_before_the_epoch_was_seen(
    tmp_path: Path, order: int
) -> None:
    class Crash(Callback):
        def on_epoch_end(self, trainer: Any) -> None:
            if trainer.epoch == 2:
                raise RuntimeError("crash")

    values = [3.0, 2.0, 2.5, 2.2]

    def callbacks() -> list[Any]:
        mine = [EarlyStopping("figure", 2, restore_best_weights=True),
                CheckpointCallback(tmp_path / "c")]
        return [Script(values), *(mine if order else mine[::-1])]

    whole = trainer(*callbacks())
    whole.fit((X, Y), epochs=9, batch_size=5)
    stopped = trainer(*callbacks(), Crash())
    with pytest.raises(RuntimeError):
        stopped.fit((X, Y), epochs=9, batch_size=5)
    resumed = trainer(*callbacks())
    resumed.resume(tmp_path / "c")
    resumed.fit((X, Y), epochs=9, batch_size=5)
    assert resumed.epoch == whole.epoch == 4
    assert np.array_equal(resumed.model.weight.data, whole.model.weight.data)


def test_checkpoints_by_epoch_and_of_the_best(tmp_path: Path) -> None:
    values = [3.0, 2.0, 2.5, 1.0]
    script = Script(values)
    made = trainer(script, ModelCheckpoint(tmp_path / "{epoch:02d}-{figure:.1f}"),
                   ModelCheckpoint(tmp_path / "best", "figure", save_best_only=True,
                                   save_weights_only=True))
    made.fit((X, Y), epochs=3, batch_size=5)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "01-3.0", "02-2.0", "03-2.5", "best"]
    other = nn.Linear(4, 2)
    fn.load(tmp_path / "best", other)
    assert np.array_equal(other.weight.data, script.weights[1])
    resumed = trainer(Script(values), best := ModelCheckpoint(tmp_path / "x", "figure"))
    with pytest.warns(UserWarning, match="ModelCheckpoint 2"):
        resumed.resume(tmp_path / "02-2.0")
    assert resumed.epoch == 2 and best.best is None


def test_what_a_checkpoint_asks_for_is_there(tmp_path: Path) -> None:
    for callback in (ModelCheckpoint(tmp_path / "{nothing}"), EarlyStopping("nothing"),
                     ModelCheckpoint(tmp_path / "x", "nothing", save_best_only=True)):
        with pytest.raises(ValueError, match="no 'nothing' in the history, it has epoch, loss"):
            trainer(callback).fit((X, Y), epochs=1)
    with pytest.raises(ValueError, match="mode must be one of"):
        EarlyStopping(mode="larger")
    with pytest.raises(ValueError, match="has no weights of an epoch"):
        EarlyStopping().load_state_dict({"kept": "x", "weights": {}})
    with pytest.raises(ValueError, match="best figure"):
        ModelCheckpoint("x").load_state_dict({"best": "x"})


def test_rates_and_momenta_and_a_table(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    made = trainer(LearningRateMonitor(), CSVLogger(path, ";"), groups=True)
    made.fit((X, Y), epochs=2, batch_size=5)
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter=";"))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for row, record in zip(rows, made.history, strict=True):
        assert record["lr_0"] == 0.1 and record["lr_1"] == 0.5 and record["momentum_1"] == 0.9
        assert {name: float(value) for name, value in row.items()} == record
    fn.manual_seed(0)
    model = nn.Linear(4, 2)
    adam = fn.Trainer(model, "cross_entropy", "adam", callbacks=[LearningRateMonitor()])
    assert adam.fit((X, Y), epochs=1)[0]["momentum"] == 0.9
    with pytest.raises(ValueError, match="separator must be one character"):
        CSVLogger(path, ", ")
    several: Any = SimpleNamespace(history=[{}], optimizers=[made.optimizer, adam.optimizer])
    LearningRateMonitor().on_epoch_end(several)
    assert several.history[0].keys() == {f"{name}_{i}" for i in range(3)
                                         for name in ("lr", "momentum")}

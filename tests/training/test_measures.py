"""Metrics in a Trainer: figures of the history, errors before the first step, several outputs."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.metrics import F1, Accuracy, ConfusionMatrix, Metric
from fastnn.training import (
    Callback,
    CheckpointCallback,
    CSVLogger,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((14, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 14)
REAL = RNG.standard_normal((14, 3)).astype(np.float32)


def trainer(metrics: Any = None, loss: Any = "cross_entropy", lr: float = 0.1,
            **options: Any) -> fn.Trainer:
    fn.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))
    return fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=lr, momentum=0.9),
                      metrics=metrics, **options)


@pytest.mark.parametrize("size", [1, 5, 14])
def test_figures_of_an_epoch(size: int) -> None:
    made = trainer(["accuracy", "top2", F1("macro"), ConfusionMatrix(),
                    lambda output, target: output.max(axis=1)])
    found = made.evaluate((X, Y), size)
    z = made.predict(X)
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (Y, z.argmax(1)), 1)
    assert np.array_equal(found["confusion_matrix"], matrix)
    assert found["accuracy"] == (z.argmax(1) == Y).mean()
    assert found["<lambda>"] == pytest.approx(z.max(1).mean())
    if size > 1:
        (record,) = trainer(seed=2).fit((X, Y), (X, Y), 1, size)
        made = trainer(["accuracy", "top2", "f1_macro", "confusion_matrix", made.averages.measures
                        .named["<lambda>"].fresh()], seed=2)
        (other,) = made.fit((X, Y), (X, Y), 1, size)
        assert other.keys() == {
            "epoch", "loss", "accuracy", "top2", "f1_macro", "<lambda>", "lr", "seconds",
            "validation_loss", "validation_accuracy", "validation_top2", "validation_f1_macro",
            "validation_<lambda>"}
        assert {name: other[name] for name in record if name != "seconds"} == {
            name: record[name] for name in record if name != "seconds"}
        assert made.metrics["confusion_matrix"].sum() == 14
        assert made.metrics["validation_confusion_matrix"].shape == (3, 3)
        assert made.metrics["loss"] == other["loss"]


def test_an_evaluation_in_an_epoch_leaves_its_figures() -> None:
    class Look(Callback):
        def on_batch_end(self, trainer: Any) -> None:
            trainer.evaluate((X, Y))

    for metrics in (None, ["f1_macro"]):
        plain, watched = trainer(metrics, seed=2), trainer(metrics, callbacks=[Look()], seed=2)
        expected = plain.fit((X, Y), epochs=2, batch_size=5)
        found = watched.fit((X, Y), epochs=2, batch_size=5)
        assert [{**each, "seconds": 0} for each in found] == [
            {**each, "seconds": 0} for each in expected]


@pytest.mark.parametrize(("metrics", "loss", "y", "message"), [
    ("f1_macro", "mse", REAL, "the metric f1_macro does not fit: f1_macro needs outputs"),
    ("f1", "cross_entropy", Y, "the metric f1 does not fit: f1: average='binary' is for two"),
    ("top5", "cross_entropy", Y, "top5 needs 5 classes or more, the output has 3"),
    ("accuracy", "mse", REAL, "the metric accuracy does not fit"),
    ("r2", "cross_entropy", Y, "r2 needs one output for each target"),
    ({"a": "accuracy", "b": None}, "cross_entropy", Y, "are for 2 outputs, the model has 1"),
])
def test_metrics_that_do_not_fit_are_refused_before_the_first_step(
    metrics: Any, loss: str, y: Any, message: str
) -> None:
    made = trainer(metrics, loss)
    before = [array.tobytes() for array in made.model.state_dict().values()]
    for data in ((X, y), [(X, y)]):
        with pytest.raises(ValueError, match=message):
            made.fit(data, epochs=1)
    assert [array.tobytes() for array in made.model.state_dict().values()] == before
    assert made.steps == 0


@pytest.mark.parametrize(("metrics", "error", "message"), [
    (["accuracy", Accuracy()], ValueError, "two metrics are named 'accuracy'"),
    ([F1(name="loss")], ValueError, "a metric is named 'loss'"),
    ([F1(name="validation_f1")], ValueError, "a metric is named 'validation_f1'"),
    ("acuracy", ValueError, "perhaps 'accuracy'"),
    ([F1], TypeError, "is the class F1"),
])
def test_bad_metrics(metrics: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trainer(metrics)


def test_nan_in_a_metric_names_the_batch() -> None:
    def ratio(output: Any, target: Any) -> float:
        return float("nan") if len(output) == 4 else 0.5

    made = trainer([ratio])
    with pytest.raises(fn.NonFiniteError, match="epoch 1, batch 3: the metric ratio is nan"):
        made.fit((X, Y), epochs=1, batch_size=5)
    with pytest.raises(fn.NonFiniteError, match="evaluation, batch 3: the metric ratio is nan"):
        trainer([ratio]).evaluate((X, Y), batch_size=5)


def test_no_metrics_keep_no_output() -> None:
    made = trainer([])
    assert made.fit((X, Y), epochs=1)[0].keys() == {"epoch", "loss", "lr", "seconds"}
    assert not made.train_step.keep_output


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.digit, self.size = nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        h = fn.relu(self.body(x))
        return self.digit(h), self.size(h)


def both(output: Any, target: Any) -> Any:
    return fn.cross_entropy(output[0], target[0]) + fn.mse_loss(output[1], target[1])


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(("metrics", "names"), [
    ({"digit": ["accuracy", "f1_macro"], "size": "mae"},
     ("digit_accuracy", "digit_f1_macro", "size_mae")),
    ([["accuracy", "f1_macro"], ["mae"]],
     ("output0_accuracy", "output0_f1_macro", "output1_mae")),
])
def test_metrics_of_several_outputs(metrics: Any, names: Any, accumulate: int) -> None:
    fn.manual_seed(0)
    model = Two()
    made = fn.Trainer(model, both, optim.SGD(model.parameters(), lr=0.0), metrics=metrics,
                      accumulate=accumulate)
    batches = [(X[i:i + 5], (Y[i:i + 5], REAL[i:i + 5])) for i in range(0, 14, 5)]
    digit, size = made.predict(X, batch_size=4)
    record = made.fit(batches, batches, epochs=1)[0]
    for prefix in ("", "validation_"):
        assert record[prefix + names[0]] == (digit.argmax(1) == Y).mean()
        assert record[prefix + names[1]] > 0
        assert record[prefix + names[2]] == pytest.approx(np.abs(size - REAL).mean())
    with pytest.raises(ValueError, match="accuracy is for one output, the model has 2: give"):
        fn.Trainer(model, both, optim.SGD(model.parameters()), metrics="accuracy").fit(batches)
    plain = fn.Trainer(model, both, optim.SGD(model.parameters(), lr=0.0))
    assert "accuracy" not in plain.fit(batches, batches, epochs=1)[0]


def test_metrics_of_a_dict_of_outputs() -> None:
    class Named(Two):
        def forward(self, x: Any) -> Any:
            h = fn.relu(self.body(x))
            return {"size": self.size(h), "digit": self.digit(h)}

    fn.manual_seed(0)
    model = Named()
    loss = nn.Losses({"digit": nn.CrossEntropyLoss(), "size": nn.MSELoss()})
    batches = [(X[i:i + 5], {"digit": Y[i:i + 5], "size": REAL[i:i + 5]}) for i in range(0, 14, 5)]
    for accumulate in (1, 2):
        made = fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0), metrics={
            "digit": "accuracy", "size": ["mae"]}, accumulate=accumulate)
        found = made.predict(X, 4)
        assert list(found) == ["size", "digit"]
        record = made.fit(batches, batches, epochs=1)[0]
        for prefix in ("", "validation_"):
            assert record[f"{prefix}digit_accuracy"] == (found["digit"].argmax(1) == Y).mean()
            assert record[f"{prefix}size_mae"] == pytest.approx(np.abs(found["size"] - REAL).mean())
    joined = fn.Trainer(model, loss, optim.SGD(model.parameters(), lr=0.0), metrics=[
        lambda output, target: (output["digit"].argmax(1) == target["digit"]).mean()])
    assert joined.fit(batches, epochs=1)[0]["<lambda>"] == pytest.approx(
        (found["digit"].argmax(1) == Y).mean())
    with pytest.raises(ValueError, match="metrics are for an output 'other', the model has size"):
        fn.Trainer(model, loss, "sgd", metrics={"other": "mae"}).fit(batches)
    with pytest.raises(TypeError, match="examples cannot be weighed with the loss Losses"):
        made.fit([(*batch, np.ones(len(batch[0]))) for batch in batches], epochs=1)


class Largest(Metric):
    initial: ClassVar[dict[str, Any]] = {"found": 0.0}

    def update(self, output: Any, target: Any, weight: Any = None) -> None:
        self.found = max(self.found, float(output.max()))

    def value(self) -> float:
        return self.found


class Crash(Exception):
    pass


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Any) -> None:
        if trainer.steps == self.step:
            raise Crash


def everything(folder: Path, *more: Callback) -> fn.Trainer:
    pytest.importorskip("sklearn")
    stopping = EarlyStopping("validation_f1_macro", 3, restore_best_weights=True)
    return trainer(
        ["accuracy", "f1_macro", "confusion_matrix", "roc_auc", "top2", Largest("largest")],
        callbacks=[LearningRateMonitor(), stopping, CSVLogger(folder / "h.csv"), ModelCheckpoint(
            folder / "best-{epoch}.safetensors", save_best_only=True, save_weights_only=True),
            *more])


@pytest.mark.parametrize("stop", [1, 3, 5, 11])
def test_a_resume_with_everything_on_ends_in_the_same_bits(tmp_path: Path, stop: int) -> None:
    weight = RNG.random(14)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()

    def fit(made: fn.Trainer) -> list[dict[str, Any]]:
        return made.fit((X, Y, weight), (X, Y, weight), 5, 5, class_weight="balanced", seed=7)

    whole = everything(tmp_path / "whole")
    expected = fit(whole)
    path = tmp_path / "c"
    with pytest.raises(Crash):
        fit(everything(tmp_path / "parts", CheckpointCallback(path, batches=1), StopAt(stop)))
    resumed = everything(tmp_path / "parts", CheckpointCallback(path, batches=1))
    resumed.resume(path)
    assert resumed.steps == stop
    found = fit(resumed)
    assert [{**each, "seconds": 0} for each in found] == [
        {**each, "seconds": 0} for each in expected]
    for name, array in whole.model.state_dict().items():
        assert resumed.model.state_dict()[name].tobytes() == array.tobytes()
    names = sorted(each.name for each in (tmp_path / "whole").iterdir())
    assert names == sorted(each.name for each in (tmp_path / "parts").iterdir())
    assert np.array_equal(whole.metrics["confusion_matrix"], resumed.metrics["confusion_matrix"])
    lines = [(tmp_path / part / "h.csv").read_text().splitlines() for part in ("whole", "parts")]
    assert len(lines[0]) == len(lines[1]) == len(expected) + 1


def test_the_middle_of_an_epoch_needs_its_metrics(tmp_path: Path) -> None:
    class Save(Callback):
        def on_batch_end(self, trainer: Any) -> None:
            trainer.save(tmp_path / f"{trainer.batch}")

    made = trainer(["accuracy"], callbacks=[Save()])
    made.fit((X, Y), epochs=1, batch_size=5)
    made.save(tmp_path / "end")
    with pytest.raises(fn.CheckpointError, match=r"no sums of metrics\.f1_macro: resume with"):
        trainer(["accuracy", "f1_macro"]).resume(tmp_path / "1")
    with pytest.warns(UserWarning, match=r"states of metrics\.accuracy"):
        trainer([]).resume(tmp_path / "1")
    trainer(["f1_macro"]).resume(tmp_path / "end")

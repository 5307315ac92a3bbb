"""Targets that are texts or one-hot rows in a Trainer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import CheckpointError

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
WORDS = np.array(["low", "high", "middle"])[np.arange(30) % 3]
NUMBERS = np.unique(WORDS, return_inverse=True)[1]


def make_trainer(loss: Any = None) -> fn.Trainer:
    fn.manual_seed(0)
    model = nn.Linear(3, 3)
    return fn.Trainer(model, loss or nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))


def histories(first: Any, second: Any, loss: Any = None) -> list[list[dict[str, Any]]]:
    found = []
    for y in (first, second):
        history = make_trainer(loss).fit((X, y), (X, y), epochs=2, batch_size=8)
        found.append([{**record, "seconds": 0} for record in history])
    return found


@pytest.mark.parametrize("words", [WORDS, WORDS.tolist(), WORDS.astype(object), WORDS.astype("S")])
def test_texts_train_as_their_class_numbers(words: Any) -> None:
    one, other = histories(words, NUMBERS)
    assert one == other and "validation_accuracy" in one[0]


def test_all_data_have_the_classes_of_training(tmp_path: Path) -> None:
    trainer = make_trainer()
    assert trainer.classes_ is None
    trainer.fit((X, WORDS), (X[1::3], WORDS[1::3]), epochs=1)
    assert trainer.classes_ is not None and trainer.classes_.tolist() == ["high", "low", "middle"]
    assert trainer.evaluate((X[1::3], WORDS[1::3])) == trainer.evaluate((X[1::3], NUMBERS[1::3]))
    with pytest.raises(ValueError, match=r"label 'huge' \(example 0\)"):
        trainer.evaluate((X[:1], ["huge"]))
    path = tmp_path / "c.safetensors"
    trainer.save(path)
    resumed = make_trainer()
    resumed.resume(path)
    assert resumed.evaluate((X, WORDS)) == trainer.evaluate((X, WORDS))
    with pytest.raises(ValueError, match="'huge'"):
        resumed.fit((X[:1], ["huge"]), epochs=1)


def test_texts_that_training_did_not_have() -> None:
    trainer = make_trainer()
    with pytest.raises(ValueError, match=r"'huge'.*expected one of 'high', 'low', 'middle'"):
        trainer.fit((X, WORDS), (X[:1], ["huge"]), epochs=1)
    assert trainer.classes_ is None and trainer.steps == 0
    trainer.fit((X, NUMBERS), epochs=1)
    with pytest.raises(ValueError, match="training had class numbers"):
        trainer.evaluate((X, WORDS))


@pytest.mark.parametrize("classes", [[], "ab", ["b", "a"], ["a", "a"], ["a", 1]])
def test_a_checkpoint_with_wrong_classes(classes: Any, tmp_path: Path, monkeypatch: Any) -> None:
    trainer, path = make_trainer(), tmp_path / "c.safetensors"
    monkeypatch.setattr("fastnn.training.trainer.saved", lambda encoder: {"classes": classes})
    trainer.save(path)
    with pytest.raises(CheckpointError, match="classes are"):
        trainer.resume(path)


@pytest.mark.parametrize("loss", [
    nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1), fn.cross_entropy])
def test_one_hot_rows_are_class_probabilities(loss: Any) -> None:
    rows = np.eye(3, dtype=np.float32)[NUMBERS]
    one, other = histories(rows, NUMBERS, loss)
    for record, wanted in zip(one, other, strict=True):
        assert record["accuracy"] == wanted["accuracy"]
        assert record["validation_accuracy"] == wanted["validation_accuracy"]
        assert record["validation_loss"] == pytest.approx(wanted["validation_loss"], rel=1e-5)


def test_images_of_class_probabilities_have_an_accuracy() -> None:
    x = np.random.default_rng(1).normal(size=(6, 2, 4, 4)).astype(np.float32)
    y = np.random.default_rng(2).integers(0, 3, (6, 4, 4))
    found = []
    for target in (y, np.eye(3, dtype=np.float32)[y].transpose(0, 3, 1, 2)):
        fn.manual_seed(0)
        model = nn.Conv2d(2, 3, 1)
        trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        found.append(trainer.evaluate([(x, target)])["accuracy"])
    assert found[0] == found[1]


def test_real_targets_of_the_outputs_shape_have_no_accuracy() -> None:
    rows = np.eye(3, dtype=np.float32)[NUMBERS]
    assert "accuracy" not in make_trainer(nn.MSELoss()).evaluate((X, rows))
    assert "accuracy" not in make_trainer(nn.BCEWithLogitsLoss()).evaluate((X, rows))

"""What settings become: each of them has its effect, on the batches it is meant for alone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from fastnn import optim
from fastnn.cli import main
from fastnn.cli.job import Job, make_job
from fastnn.cli.settings import Settings
from fastnn.data import Batches, Standardize
from fastnn.graph import constant
from fastnn.nn import Module
from tests.cli.command import write_data

SETTINGS = Settings("data.npz", "cnn", 4, 16, 0.1, "sgd", 0.9, 5e-4, 0.0, "none", 1, True, 0.2, 0,
                    None, 1, 10.0, None)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data.npz", 60)


def job(**changes: Any) -> Job:
    return make_job(replace(SETTINGS, **changes), [])


def plain(batches: Batches) -> bool:
    """Whether batches are the examples as stored, standardized and nothing else."""
    with np.load("data.npz") as data:
        standardize = Standardize().fit(data["x_train"][:, np.newaxis])
    order = batches.order(0)
    drawn = np.concatenate([x for x, _ in batches.epoch(0)])
    return bool(np.array_equal(drawn, standardize.transform(np.asarray(batches.x)[order])))


def test_augmentation_is_for_training_alone() -> None:
    made = job()
    assert not plain(made.training)
    assert made.validation is not None and plain(made.validation)
    assert made.test is not None and plain(made.test)


@pytest.mark.parametrize(("shift", "flip", "expected"), [
    (0, False, None), (2, False, "Compose(RandomShift(2))"),
    (0, True, "Compose(RandomHorizontalFlip(p=0.5))"),
    (1, True, "Compose(RandomShift(1), RandomHorizontalFlip(p=0.5))")])
def test_what_augments(shift: int, flip: bool, expected: str | None) -> None:
    made = job(shift=shift, flip=flip)
    assert repr(made.training.transform) == str(expected)
    assert plain(made.training) == (expected is None)


@pytest.mark.parametrize(("options", "shift", "flip"), [
    ([], 1, True), (["--no-augment"], 0, False), (["--no-flip"], 1, False),
    (["--shift", "3"], 3, True), (["--no-augment", "--shift", "3"], 0, False)])
def test_the_commands_options_of_augmentation(options: list[str], shift: int, flip: bool) -> None:
    result = CliRunner().invoke(main, ["train", "--data", "data.npz", "--model", "mlp", "--epochs",
                                       "1", "--output", "r", *options])
    assert result.exit_code == 0, result.output
    settings = json.loads(Path("r/settings.json").read_text())
    assert (settings["shift"], settings["flip"]) == (shift, flip)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_weights_decay_and_neither_biases_nor_norms(optimizer: str) -> None:
    made = job(optimizer=optimizer, weight_decay=0.125)
    decays = {id(parameter): group["weight_decay"]
              for group in made.trainer.optimizer.param_groups for parameter in group["params"]}
    parameters = dict(made.trainer.model.named_parameters())
    assert len(decays) == len(parameters)
    kinds = {name: decays[id(parameter)] for name, parameter in parameters.items()}
    assert set(kinds.values()) == {0.0, 0.125}
    for name, parameter in parameters.items():
        assert kinds[name] == (0.125 if parameter.ndim > 1 else 0.0), name


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_label_smoothing(smoothing: float) -> None:
    """The mean over classes of -log p, mixed in: as Szegedy et al. (2016), in float64."""
    class Loss(Module):
        def forward(self, x: Any) -> Any:
            return made.trainer.loss(x, constant(y))

    made = job(label_smoothing=smoothing)
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1])
    logs = logits - np.log(np.exp(logits.astype(np.float64)).sum(1, keepdims=True))
    expected = -((1 - smoothing) * logs[np.arange(5), y] + smoothing * logs.mean(1)).mean()
    assert float(Loss()(logits)) == pytest.approx(expected, rel=1e-5)


def test_optimizers_get_their_numbers() -> None:
    sgd = job(lr=0.25, momentum=0.75).trainer.optimizer
    assert type(sgd) is optim.SGD
    for group in sgd.param_groups:
        assert (group["lr"], group["momentum"], group["nesterov"]) == (0.25, 0.75, True)
    still = job(momentum=0).trainer.optimizer
    assert not any(group["nesterov"] or group["momentum"] for group in still.param_groups)
    for name, kind in (("adam", optim.Adam), ("adamw", optim.AdamW)):
        made = job(optimizer=name, lr=0.5).trainer.optimizer
        assert type(made) is kind and {group["lr"] for group in made.param_groups} == {0.5}


def test_schedules() -> None:
    """Over all epochs: 4 of 3 batches (48 examples of 60, 16 a batch)."""
    cycle = job(schedule="one-cycle").trainer.schedule
    assert isinstance(cycle, optim.OneCycleLR)
    assert (cycle.total_steps, cycle.pct_start, cycle.max_lrs) == (12, 0.2, [0.1] * 2)
    cosine = job(schedule="cosine").trainer.schedule
    assert isinstance(cosine, optim.CosineAnnealingLR) and cosine.T_max == 4
    steps = job(schedule="step").trainer.schedule
    assert isinstance(steps, optim.MultiStepLR) and steps.milestones == [2, 3]
    assert job(schedule="none").trainer.schedule is None


def test_the_seed_changes_weights_order_and_split() -> None:
    first, again, other = job(), job(), job(seed=1)
    for made, same in ((again, True), (other, False)):
        assert np.array_equal(first.training.order(0), made.training.order(0)) == same
        assert np.array_equal(next(first.trainer.model.parameters()).data,
                              next(made.trainer.model.parameters()).data) == same
        assert first.validation is not None and made.validation is not None
        assert np.array_equal(first.validation.indices, made.validation.indices) == same

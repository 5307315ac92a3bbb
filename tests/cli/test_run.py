"""A run folder: all that its model needs, one process at a time, more epochs, bad settings."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import fastnn as fn
from fastnn.cli import job as job_file
from fastnn.cli import main
from fastnn.cli.job import make_job
from fastnn.cli.run import read_run
from fastnn.cli.run_folder import locked
from fastnn.cli.settings import Settings
from fastnn.training.evaluation import Evaluation
from tests.cli.command import NET, write_data
from tests.cli.test_train import save_tables


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data.npz")
    (tmp_path / "net.py").write_text(NET)
    yield


def fastnn(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def train(*arguments: object, output: str = "r", epochs: int = 2) -> Result:
    result = fastnn("train", "--data", "data.npz", "--model", "net.py:make", "--epochs", epochs,
                    "--batch-size", 16, "--output", output, *arguments)
    assert result.exit_code == 0, result.output
    return result


def one_sentence(result: Result, *words: str, code: int = 1) -> None:
    last = result.output.strip().splitlines()[-1]
    assert result.exit_code == code and last.startswith("Error: "), result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in last, last


def history(folder: str = "r") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "history.jsonl").read_text().splitlines()]


# What prediction needs.

def test_a_run_folder_alone_predicts_to_the_same_bits(tmp_path: Path) -> None:
    train()
    with np.load("data.npz") as data:
        x, y = data["x_test"][:, np.newaxis], data["y_test"]
    trainer = make_job(Settings.read(Path("r/settings.json")), []).trainer
    trainer.resume("r/checkpoint.safetensors")
    preprocess = make_job(Settings.read(Path("r/settings.json")), []).training.preprocess
    expected = trainer.model.eval()(preprocess.transform(x))
    for name in ("data.npz", "net.py"):
        (tmp_path / name).unlink()
    (tmp_path / "r").rename("moved")
    run = read_run(Path("moved"))
    assert run.outputs(x).tobytes() == expected.tobytes()
    result = json.loads(Path("moved/result.json").read_text())
    assert (run.outputs(x).argmax(axis=1) == y).mean() == result["test_accuracy"]
    assert run.classes == ("0", "1", "2") and run.example_shape == (1, 8, 8)
    assert not run.model.training


def test_what_a_run_says_of_itself() -> None:
    train("--model", "cnn")
    content = json.loads(Path("r/run.json").read_text())
    assert content["model"] == {"name": "cnn", "num_classes": 3, "example_shape": [1, 8, 8]}
    assert set(content["facts"]) == {"fastnn", "numpy", "python", "instruction_set"}
    assert content["facts"]["fastnn"] == fn.__version__
    with np.load("data.npz") as data:
        x = data["x_train"] / 255.0
    state = content["preprocess"]["state"]
    assert content["preprocess"]["kind"] == "Standardize"
    np.testing.assert_allclose(state["mean"]["values"], x.mean(), rtol=1e-6)
    np.testing.assert_allclose(state["std"]["values"], x.std(), rtol=1e-6)
    assert not Path("r/model.py").exists()


def test_real_targets(tmp_path: Path) -> None:
    save_tables(tmp_path / "table")
    result = fastnn("train", "--data", "table", "--model", "mlp", "--epochs", 1, "--lr", 0.01,
                    "--output", "r")
    assert result.exit_code == 0, result.output
    run = read_run(Path("r"))
    assert run.classes == () and run.outputs(np.zeros((3, 5))).shape == (3, 2)


@pytest.mark.parametrize("content", [
    "", "[]", "{", "[" * 10**5, '{"model": 3}', '{"model": {"name": "cnn"}}'])
def test_a_damaged_description_is_named(content: str) -> None:
    train("--model", "mlp", epochs=1)
    Path("r/run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json"):
        read_run(Path("r"))


@pytest.mark.parametrize(("place", "value"), [
    (("preprocess", "kind"), "os.system"), (("preprocess", "state", "mean", "values"), ["x"]),
    (("preprocess", "state", "mean", "dtype"), "object"), (("classes",), 3),
    (("model", "example_shape"), ["x"]), (("model", "example_shape"), []),
    (("model", "example_shape"), [2**40]), (("facts",), [])])
def test_wrong_values_of_a_description_are_named(place: tuple[str, ...], value: Any) -> None:
    train("--model", "mlp", epochs=1)
    content = inner = json.loads(Path("r/run.json").read_text())
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    Path("r/run.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"run\.json"):
        read_run(Path("r"))


def test_a_run_keeps_the_model_that_it_began_with() -> None:
    """What becomes of the file that made it changes nothing."""
    train(output="whole", epochs=3)
    train(output="r", epochs=2)
    Path("net.py").write_text("syntax error (")
    assert fastnn("train", "--resume", "r", "--epochs", 3).exit_code == 0
    assert len(history()) == 3


# More epochs.

@pytest.mark.parametrize("schedule", ["none"])
def test_an_extended_run_ends_in_the_bits_of_a_long_one(schedule: str) -> None:
    train("--schedule", schedule, output="long", epochs=4)
    train("--schedule", schedule)
    assert fastnn("train", "--resume", "r", "--epochs", 4).exit_code == 0
    first, second = (Path(name, "weights.safetensors").read_bytes() for name in ("long", "r"))
    assert first == second
    assert json.loads(Path("r/settings.json").read_text())["epochs"] == 4
    assert [record["epoch"] for record in history()] == [1, 2, 3, 4]


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "step"])
def test_an_extended_schedule_is_that_of_all_epochs(schedule: str) -> None:
    train("--schedule", schedule, output="long", epochs=4)
    train("--schedule", schedule)
    assert fastnn("train", "--resume", "r", "--epochs", 4).exit_code == 0
    rates = [[record["lr"] for record in history(name)] for name in ("long", "r")]
    assert rates[0][2:] == rates[1][2:] and rates[0][:2] != rates[1][:2]


def test_an_extension_that_is_stopped_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    train("--schedule", "cosine", output="long", epochs=5)
    for name in ("whole", "stopped"):
        train("--schedule", "cosine", output=name)
    assert fastnn("train", "--resume", "whole", "--epochs", 5).exit_code == 0
    step, count = fn.TrainStep.__call__, iter(range(100))

    def stopped(self: fn.TrainStep, *batch: Any) -> Any:
        if next(count) == 6:
            raise KeyboardInterrupt
        return step(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(fn.TrainStep, "__call__", stopped)
        one_sentence(fastnn("train", "--resume", "stopped", "--epochs", 5), code=130)
    assert fastnn("train", "--resume", "stopped").exit_code == 0
    first, second = (Path(name, "weights.safetensors").read_bytes()
                     for name in ("whole", "stopped"))
    assert first == second and len(history("stopped")) == 5


@pytest.mark.parametrize("epochs", [1, 2])
def test_no_fewer_epochs_than_are_done(epochs: int) -> None:
    train()
    before = Path("r/settings.json").read_bytes()
    one_sentence(fastnn("train", "--resume", "r", "--epochs", epochs),
                 "2 epochs are done", f"--epochs {epochs} adds none", "3 or more")
    assert Path("r/settings.json").read_bytes() == before


# One process at a time.

def test_a_run_that_another_process_has() -> None:
    train(epochs=1)
    with locked(Path("r")):
        one_sentence(fastnn("train", "--resume", "r"), "r belongs to", f"process {os.getpid()} on")
    assert fastnn("train", "--resume", "r").exit_code == 0
    assert not Path("r/.lock").exists()


def test_two_new_runs_in_one_folder() -> None:
    Path("r").mkdir()
    with locked(Path("r")):
        one_sentence(fastnn("train", "--data", "data.npz", "--output", "r"), "belongs to")
    assert os.listdir("r") == []


def test_a_killed_process_has_no_run() -> None:
    train(epochs=1)
    code = ("import time, pathlib; from fastnn.cli.run_folder import locked\n"
            "with locked(pathlib.Path('r')): print('held', flush=True); time.sleep(60)")
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    one_sentence(fastnn("train", "--resume", "r"), f"process {holder.pid} on")
    holder.kill()
    holder.wait()
    assert Path("r/.lock").exists()
    assert fastnn("train", "--resume", "r").exit_code == 0


# Settings.

GOOD = Settings("data.npz", "mlp", 2, 16, 0.1, "sgd", 0.9, 0.0, 0.0, "none", 1, True, 0.1, 0, None,
                1, 10.0, None)
WRONG: dict[str, list[Any]] = {
    "data": ["", 3, None, "a\0b"], "model": [3, []], "epochs": [0, -1, True, 1.5, "3", 10**400],
    "batch_size": [0, None, 2**60], "lr": [0, -0.1, "0.1", True, float("nan"), float("inf"), None],
    "optimizer": ["lion", 3, [], {}], "momentum": [1, -0.1, "x"], "weight_decay": [-1, None],
    "label_smoothing": [1.0, -0.5], "schedule": ["warm", None, []], "shift": [-1, 0.5],
    "flip": [1, "yes", None], "validation": [1, -0.1, "x"], "seed": [-1, 2**64, 0.5],
    "memory_budget": [3, ""], "accumulate": [0, "many", 1.5, True], "checkpoint_seconds": [-1, "x"],
    "checkpoint_batches": [0, 1.5, True]}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WRONG.items() for v in vs])
def test_a_wrong_setting_is_named(name: str, value: Any) -> None:
    GOOD.write(Path("settings.json"))
    assert Settings.read(Path("settings.json")) == GOOD
    Path("settings.json").write_text(json.dumps({**asdict(GOOD), name: value}))
    with pytest.raises(ValueError, match=rf"settings\.json: {name} is .*, expected") as caught:
        Settings.read(Path("settings.json"))
    assert len(str(caught.value)) < 300
    with pytest.raises(ValueError, match=f"{name} is"):
        replace(GOOD, **{name: value})


@pytest.mark.parametrize(("content", "words"), [
    ("[" * 10**5, "nested more than 100 deep"), ("", "not JSON"), ("[]", "the settings of a run"),
    ("{}", "it lacks accumulate, batch_size"), (" " * 2**21, "more than 1048576 bytes"),
    (json.dumps({**asdict(GOOD), "lion": 1}), "it has unknown lion"),
    (json.dumps({**asdict(GOOD), "optimizer": "lion"}), "expected one of sgd, adam, adamw"),
    ('{"epochs": 1, "epochs": 2}', "twice"), ("9" * 5000, "not JSON")])
def test_settings_that_cannot_be_used_are_one_sentence(content: str, words: str) -> None:
    train("--model", "mlp", epochs=1)
    Path("r/settings.json").write_text(content)
    one_sentence(fastnn("train", "--resume", "r"), "settings.json: ", words)


def test_settings_that_are_a_fifo() -> None:
    train("--model", "mlp", epochs=1)
    Path("r/settings.json").unlink()
    os.mkfifo("r/settings.json")
    one_sentence(fastnn("train", "--resume", "r"), "settings.json: a FIFO, not a regular file")


# Ctrl-C.

@pytest.mark.parametrize("phase", ["load_data", "make_model", "of_arrays", "schedule_of"])
def test_ctrl_c_before_training(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job_file, phase, interrupt)
    one_sentence(fastnn("train", "--data", "data.npz", "--output", "r"), "stopped", code=130)
    assert not Path("r").exists()


def test_ctrl_c_while_planning(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fn.TrainStep, "__call__", interrupt)
        result = fastnn("train", "--data", "data.npz", "--model", "mlp", "--epochs", 2, "--output",
                        "r")
        one_sentence(result, "stopped after epoch 0", "--resume r", code=130)
    assert fastnn("train", "--resume", "r").exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr("fastnn.cli.plan.make_model", interrupt)
        one_sentence(fastnn("plan"), "stopped", code=130)


def test_ctrl_c_while_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fn.Trainer, "evaluate", interrupt)
        result = fastnn("train", "--data", "data.npz", "--model", "mlp", "--epochs", 1, "--output",
                        "r", "--validation", 0)
        one_sentence(result, "while the trained model was tested", "--resume r", code=130)
    assert fastnn("train", "--resume", "r").exit_code == 0


def test_ctrl_c_in_the_last_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Evaluation.measure

    def interrupted(self: Evaluation, *arguments: Any) -> dict[str, float]:
        signal.raise_signal(signal.SIGINT)
        return measure(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluation, "measure", interrupted)
        result = fastnn("train", "--data", "data.npz", "--model", "mlp", "--epochs", 1, "--output",
                        "r", "--validation", 0.2)
        one_sentence(result, "stopped after epoch 1, saved", "--resume r", code=130)
    assert len(history()) == 1
    assert fastnn("train", "--resume", "r").exit_code == 0


# Options.

@pytest.mark.parametrize(("arguments", "words"), [
    (["--epochs", "0"], ["'--epochs'", "0 is not in the range x>=1"]),
    (["--epochs", "many"], ["'--epochs'", "'many' is not a valid integer"]),
    (["--optimizer", "sdg"], ["'--optimizer'", "'sdg' is not one of 'sgd', 'adam', 'adamw'"]),
    (["--schedule", "warm"], ["'--schedule'", "'one-cycle', 'cosine', 'step', 'none'"]),
    (["--validation", "1"], ["'--validation'", "1.0 is not in the range 0<=x<1"]),
    (["--momentum", "1"], ["'--momentum'", "1.0 is not in the range 0<=x<1"]),
    (["--label-smoothing", "-0.1"], ["'--label-smoothing'", "0<=x<1"]),
    (["--lr", "0"], ["'--lr'", "0.0 is not in the range x>0"]),
    (["--weight-decay", "-1"], ["'--weight-decay'", "-1.0 is not in the range x>=0"]),
    (["--batch-size", "0"], ["'--batch-size'", "x>=1"]), (["--shift", "-1"], ["'--shift'", "x>=0"]),
    (["--seed", "-1"], ["'--seed'", "0<=x<=18446744073709551615"]),
    (["--threads", "0"], ["'--threads'", "x>=1"]),
    (["--accumulate", "0"],
     ["'--accumulate'", "'0' is neither a number of micro-batches nor 'auto'"]),
    (["--checkpoint-batches", "0"], ["'--checkpoint-batches'", "x>=1"]),
    (["--checkpoint-seconds", "-1"], ["'--checkpoint-seconds'", "x>=0"]),
    (["--resume", "nowhere"], ["'--resume'", "Directory 'nowhere' does not exist"]),
    (["--resume", ".", "--lr", "1"], ["--resume takes its options from the run, not --lr"]),
    (["--unknown"], ["No such option", "--unknown"]),
])
def test_a_wrong_option_says_what_fits(arguments: list[str], words: list[str]) -> None:
    result = fastnn("train", *arguments)
    assert result.exit_code == 2 and result.output.startswith("Usage: "), result.output
    last = " ".join(result.output.strip().splitlines()[-1].split())
    for word in words:
        assert word in last, last

"""fastnn train: what it prints and writes, and a sentence for every mistake."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn.cli.model import make_model
from tests.cli.command import COMMAND, NET, run, write_data

FILES = {"checkpoint.safetensors", "curves.png", "history.jsonl", "result.json", "run.json",
         "run.toml", "settings.json", "weights.safetensors"}
FIGURES = {"epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "lr", "seconds"}


def test_a_run_leaves_everything_in_its_folder(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    code, output, errors = run("train", "--data", data, "--epochs", 2, "--batch-size", 16,
                               folder=tmp_path)
    assert code == 0 and errors == ""
    [folder] = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("cnn-data-") and {path.name for path in folder.iterdir()} == FILES
    assert output.splitlines()[-1].startswith("test accuracy: 0.")
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [FIGURES, FIGURES]
    assert "epoch 2/2  training: loss" in output and "validation: loss" in output
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    fn.load(folder / "weights.safetensors", make_model("cnn", 3, (1, 8, 8)))
    assert json.loads((folder / "settings.json").read_text())["data"] == str(data)


def test_json_goes_to_standard_output_alone(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz", test=False)
    code, output, errors = run("train", "--data", data, "--model", "mlp", "--epochs", 1,
                               "--output", "r", "--json", folder=tmp_path)
    result = json.loads(output)
    assert code == 0 and "epoch 1/1" in errors
    assert result["run"] == "r" and "validation_accuracy" in result
    assert "test_accuracy" not in result


@pytest.mark.parametrize("options", [
    ("--optimizer", "adamw", "--schedule", "cosine"), ("--optimizer", "adam", "--schedule", "step"),
    ("--momentum", "0", "--schedule", "none", "--no-augment"), ("--label-smoothing", "0.1"),
    ("--validation", "0", "--shift", "0"),
])
def test_options_work_together(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "net.py").write_text(NET)
    data = write_data(tmp_path / "data.npz")
    code, output, errors = run("train", "--data", data, "--model", "net.py:make", "--epochs", 2,
                               "--output", "r", *options, folder=tmp_path)
    assert code == 0, errors
    assert "test accuracy: " in output


def save_tables(folder: Path) -> Path:
    """A folder of .npy files with real targets."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 8)):
        x = generator.normal(size=(count, 5))
        np.save(folder / f"x_{part}.npy", x)
        np.save(folder / f"y_{part}.npy", x[:, :2].copy())
    return folder


def test_a_table_with_real_targets(tmp_path: Path) -> None:
    data = save_tables(tmp_path / "table")
    code, output, errors = run("train", "--data", data, "--model", "mlp", "--epochs", 3, "--lr",
                               0.01, "--output", "r", folder=tmp_path)
    assert code == 0, errors
    assert output.splitlines()[-1].startswith("test loss: ")


def save_images(folder: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_a_folder_of_images_with_one_that_cannot_be_read(tmp_path: Path) -> None:
    data = save_images(tmp_path / "pictures")
    (data / "cat" / "3.png").write_bytes(b"no image")
    code, output, errors = run("train", "--data", data, "--epochs", 1, "--output", "r",
                               folder=tmp_path)
    assert code == 0, errors
    assert "3.png" in output + errors


BAD: dict[str, tuple[list[Any], str]] = {
    "unknown data": (["--data", "fashoin-mnist"], "did you mean fashion-mnist"),
    "missing file": (["--data", "nowhere.npz"], "nowhere.npz"),
    "damaged file": (["--data", "bad.npz"], "bad.npz"),
    "NaN": (["--data", "nan.npz"], "nan.npz (train): x holds NaN"),
    "unknown model": (["--data", "good.npz", "--model", "resnet19"], "did you mean resnet18"),
    "missing model": (["--data", "good.npz", "--model", "gone.py:make"], "gone.py"),
    "no factory": (["--data", "good.npz", "--model", "net.py:other"], "'other'"),
    "no function": (["--data", "good.npz", "--model", "net.py"], "net.py:make_net"),
    "no module": (["--data", "good.npz", "--model", "net.py:wrong"], "returned int"),
    "syntax": (["--data", "good.npz", "--model", "syntax.py:make"], "syntax.py, line 1"),
    "full folder": (["--data", "good.npz", "--output", "full"], "full is not empty"),
    "divergence": (["--data", "good.npz", "--lr", "1e30", "--epochs", 3], "the loss is"),
}


@pytest.fixture
def bad_folder(tmp_path: Path) -> Path:
    write_data(tmp_path / "good.npz")
    (tmp_path / "bad.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:500])
    x = np.zeros((6, 4), np.float32)
    x[3, 2] = np.nan
    np.savez(tmp_path / "nan.npz", x=x, y=np.arange(6) % 2)
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "syntax.py").write_text("def make(:\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept").write_text("kept")
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_mistakes_give_one_sentence(bad_folder: Path, case: str) -> None:
    options, message = BAD[case]
    code, _, errors = run("train", *options, folder=bad_folder)
    assert code == 1 and message in errors, errors
    assert "Traceback" not in errors and errors.startswith("Error: ")
    assert len(errors.strip().splitlines()) == 1, errors
    assert (bad_folder / "full" / "kept").read_text() == "kept"


@pytest.mark.parametrize("options", [
    ["train", "--epochs", "0"], ["train", "--epochs", "many"], ["train", "--optimizer", "sdg"],
    ["train", "--validation", "1"], ["train", "--unknown"], ["train", "--resume", "nowhere"],
    ["train", "--accumulate", "0"], ["train", "--accumulate", "some"], ["plan", "--batch", "0"],
    ["fly"],
])
def test_usage_errors_exit_with_2(tmp_path: Path, options: list[str]) -> None:
    code, _, errors = run(*options, folder=tmp_path)
    assert code == 2 and "Usage" in errors and "Traceback" not in errors


@pytest.mark.parametrize("command", ["train", "plan"])
@pytest.mark.parametrize("budget", ["lots", "512 parrots", "0", "-1MiB", ""])
def test_text_that_is_no_budget_is_a_usage_error(
    tmp_path: Path, command: str, budget: str
) -> None:
    code, _, errors = run(command, f"--memory-budget={budget}", folder=tmp_path)
    assert code == 2 and "'--memory-budget': a memory budget " in errors, errors
    assert not list(tmp_path.iterdir())


def test_accumulate(tmp_path: Path) -> None:
    """Refused as a whole, trained in micro-batches; as many of them give the same weights."""
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", y_train=np.arange(256) % 3,
             x_train=generator.integers(0, 256, (256, 32, 32), dtype=np.uint8))
    (tmp_path / "net.py").write_text(NET.replace("nn.Flatten(), ", "").replace(
        "nn.MaxPool2d(2)", "nn.AdaptiveAvgPool2d(4), nn.Flatten()"))
    options = ("train", "--data", "data.npz", "--model", "net.py:make", "--batch-size", 256,
               "--epochs", 2, "--no-augment", "--validation", 0)
    code, _, errors = run(*options, "--memory-budget", "9MiB", "--output", "a", folder=tmp_path)
    least = int(re.findall(r"\((\d+) bytes\)", errors)[0])
    budget = ("--memory-budget", least - (8 << 20))
    assert code == 1 and "too small" in errors
    assert run(*options, *budget, "--output", "b", folder=tmp_path)[0] == 1
    code, _, errors = run(*options, *budget, "--accumulate", "auto", "--output", "c",
                          folder=tmp_path)
    assert code == 0 and "micro-batches: batch norm takes its statistics" in errors, errors
    count = re.findall(r"computed in (\d+) micro-batches", errors)[0]
    code, _, _ = run(*options, "--accumulate", count, "--output", "d", folder=tmp_path)
    weights = [(tmp_path / run / "weights.safetensors").read_bytes() for run in "cd"]
    assert code == 0 and weights[0] == weights[1]


def test_a_full_disk_is_one_sentence_and_keeps_what_was_saved(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    run("train", "--data", data, "--epochs", 1, "--output", "r", "--checkpoint-batches", 1,
        folder=tmp_path)
    settings = json.loads((tmp_path / "r" / "settings.json").read_text())
    (tmp_path / "r" / "settings.json").write_text(json.dumps({**settings, "epochs": 2}))
    before = (tmp_path / "r" / "checkpoint.safetensors").read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    code, _, errors = run("train", "--resume", "r", folder=tmp_path, preexec_fn=limit)
    assert code == 1 and "cannot write" in errors and "Traceback" not in errors
    assert (tmp_path / "r" / "checkpoint.safetensors").read_bytes() == before
    assert not list((tmp_path / "r").glob(".*.part"))


def test_without_matplotlib_it_says_how_to_install_it(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    (tmp_path / "matplotlib.py").write_text("raise ImportError")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, output, errors = run("train", "--data", data, "--model", "mlp", "--epochs", 1,
                               folder=tmp_path, environment={"PYTHONPATH": path})
    assert code == 0 and "test accuracy" in output
    assert "no curves.png" in errors and "pip install" in errors
    assert "weights, checkpoint and history are in" in output and "curves" not in output


def test_weights_that_overflow_are_not_saved(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    code, _, errors = run("train", "--data", data, "--model", "mlp", "--epochs", 1, "--lr", 3e38,
                          "--schedule", "none", "--weight-decay", 1000, "--output", "run",
                          folder=tmp_path)
    assert code == 1 and "weight has a value that is not finite" in errors
    assert "Traceback" not in errors and not (tmp_path / "run" / "weights.safetensors").exists()


def test_importing_fastnn_is_light() -> None:
    code = ("import sys, fastnn; print([n for n in ('matplotlib', 'PIL', 'rich', 'click', 'torch') "
            "if n in sys.modules])")
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_plan_and_doctor(tmp_path: Path) -> None:
    code, output, errors = run("plan", "--model", "lenet", "--batch", 4, folder=tmp_path)
    assert code == 0 and "conv2d" in output and "peak" in output, errors
    code, output, _ = run("plan", "--model", "lenet", "--batch", 4, "--json", folder=tmp_path)
    figures = json.loads(output)
    assert code == 0 and figures["batch"] == 4 and figures["peak_bytes"] > 0
    code, output, _ = run("doctor", "--json", folder=tmp_path)
    facts = json.loads(output)
    assert code == 0 and facts["processor"]["threads"] == 1 and facts["versions"]["numpy"]
    assert facts["processor"]["instruction_set"] in facts["processor"]["available_sets"]
    assert facts["processor"]["nodes"] >= 1 and facts["advice"] == []
    code, output, _ = run("doctor", folder=tmp_path, environment={"OMP_NUM_THREADS": "1000"})
    assert code == 0 and "instruction set" in output
    assert "\nnote: 1000 threads on" in output and output.count("note: ") == 1


@pytest.mark.parametrize("command", [
    [], ["train"], ["predict"], ["evaluate"], ["export"], ["plan"], ["doctor"]])
def test_help(tmp_path: Path, command: list[str]) -> None:
    code, output, _ = run(*command, "--help", folder=tmp_path)
    assert code == 0 and "Usage: fastnn" in output


def test_a_live_bar_in_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    data = write_data(tmp_path / "data.npz", 200)
    epochs = "20"  # a bar is drawn ten times a second: two take less than that on fast machines
    main, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "train", "--data", str(data), "--epochs", epochs, "--batch-size", "2"],
        cwd=tmp_path, stdout=child, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"})
    os.close(child)
    text = b""
    try:
        while part := os.read(main, 4096):
            text += part
    except OSError:  # the other end is closed
        pass
    assert process.wait(60) == 0
    assert b"images/s" in text and b"left" in text and b"test accuracy" in text

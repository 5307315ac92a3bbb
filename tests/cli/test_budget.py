"""`fastnn train` holds the least memory budget that its refusal names, from start to end."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import NET

SHAPE, COUNT = (3, 72, 72), 330
CODE = """
import sys
from fastnn.cli.group import main
from fastnn.runtime.process_memory import peak_bytes
try:
    main(sys.argv[1:], standalone_mode=False)
except Exception as error:
    print(error)
print("the most held:", peak_bytes())
"""


def images() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
    return x, np.arange(COUNT) % 4


def npz(folder: Path) -> str:
    x, y = images()
    np.savez(folder / "data.npz", x=x, y=y)
    return "data.npz"


def mapped(folder: Path) -> str:
    (folder / "data").mkdir()
    for name, array in zip(("x_train", "y_train"), images(), strict=True):
        np.save(folder / "data" / f"{name}.npy", array)
    return "data"


def pictures(folder: Path) -> str:
    image = pytest.importorskip("PIL.Image")
    for i, (pixels, label) in enumerate(zip(*images(), strict=True)):
        (folder / "data" / str(label)).mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels.transpose(1, 2, 0)).save(folder / "data" / str(label) / f"{i}.png")
    return "data"


def train(folder: Path, data: str, budget: int, run: str) -> tuple[str, int]:
    """(what it printed, its VmHWM)."""
    (folder / "net.py").write_text(NET.replace("nn.MaxPool2d(2)", "nn.AdaptiveAvgPool2d(4)"))
    done = subprocess.run(
        [sys.executable, "-c", CODE, "train", "--data", data, "--model", "net.py:make",
         "--epochs", "2", "--batch-size", "128", "--memory-budget", str(budget), "--output", run,
         "--checkpoint-batches", "1"], cwd=folder, capture_output=True, text=True, timeout=120)
    peak = re.search(r"the most held: (\d+)", done.stdout)
    assert peak, done.stderr
    return done.stdout, int(peak[1])


@pytest.mark.parametrize("write", [npz, mapped, pictures])
def test_the_least_budget_holds(tmp_path: Path, write: Callable[[Path], str]) -> None:
    data = write(tmp_path)
    refused, _ = train(tmp_path, data, 1 << 20, "refused")
    named = re.search(r"too small: this step needs at least .*?\((\d+) bytes\)", refused)
    assert named and "epoch 1" not in refused, refused
    output, peak = train(tmp_path, data, int(named[1]), "run")
    assert "trained in" in output, output
    assert peak <= int(named[1])
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {
        "checkpoint.safetensors", "weights.safetensors", "result.json"}


def large_npz(folder: Path) -> str:
    np.savez_compressed(folder / "data.npz", x=np.zeros((20_000, 100, 100), np.uint8),
                        y=np.arange(20_000) % 4)
    return "data.npz"


def a_large_picture(folder: Path) -> str:
    image = pytest.importorskip("PIL.Image")
    for name in "ab":
        (folder / "data" / name).mkdir(parents=True)
        for i in range(40):
            image.new("RGB", (16, 16)).save(folder / "data" / name / f"{i}.png")
    image.new("RGB", (6000, 3000)).save(folder / "data" / "a" / "99.png")
    return "data"


@pytest.mark.parametrize("write", [large_npz, a_large_picture])
def test_data_that_do_not_fit_are_not_loaded(tmp_path: Path, write: Callable[[Path], str]) -> None:
    data, budget = write(tmp_path), 120 << 20
    refused, peak = train(tmp_path, data, budget, "refused")
    named = re.search(r"too small: this step needs at least .*?\((\d+) bytes\)", refused)
    assert named and int(named[1]) > budget + (60 << 20), refused
    assert peak < budget
    if write is a_large_picture:
        output, peak = train(tmp_path, data, int(named[1]), "run")
        assert "trained in" in output, output
        assert peak <= int(named[1])

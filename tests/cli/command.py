"""Run `fastnn` as a user does: in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

COMMAND = [sys.executable, "-m", "fastnn.cli"]

NET = """
from fastnn import nn

def make(num_classes, in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(8 * 4 * 4, num_classes))

def wrong():
    return 3
"""


def start(*arguments: object, folder: Path, **options: Any) -> "subprocess.Popen[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg",
                   **options.pop("environment", {})}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=folder, env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run(*arguments: object, folder: Path, **options: Any) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    process = start(*arguments, folder=folder, **options)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def write_data(path: Path, examples: int = 60, test: bool = True) -> Path:
    """A few images of 3 classes in an .npz file."""
    generator = np.random.default_rng(0)

    def images(count: int, part: str) -> dict[str, np.ndarray]:
        return {f"x_{part}": generator.integers(0, 256, (count, 8, 8), dtype=np.uint8),
                f"y_{part}": np.arange(count) % 3}

    np.savez(path, **images(examples, "train"), **(images(12, "test") if test else {}))
    return path


def write_pictures(folder: Path, count: int = 24) -> Path:
    """Dark and light pictures in colours, 8 x 10 pixels; one of each class lies in the wrong one.
    """
    from PIL import Image

    generator = np.random.default_rng(0)
    for name, least in (("dark", 0), ("light", 156)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            low = 156 - least if number == 3 else least
            pixels = generator.integers(low, low + 100, (8, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder

"""A memory limit that shrinks while training runs: other plans, then an error, never a kill."""

import contextlib
import re
import time
from pathlib import Path

import numpy as np

from fastnn.training.files import reading
from tests.cgroup import memory_group
from tests.cli.command import NET, start
from tests.cli.test_resume import position

MIB = 1 << 20


def write_large(folder: Path) -> list[object]:
    """Images whose activations are most of what training holds."""
    generator = np.random.default_rng(0)
    np.savez(folder / "data.npz", y_train=np.arange(256) % 3,
             x_train=generator.integers(0, 256, (256, 64, 64), dtype=np.uint8))
    (folder / "net.py").write_text(NET.replace("nn.Flatten(), ", "").replace(
        "nn.MaxPool2d(2)", "nn.AdaptiveAvgPool2d(4), nn.Flatten()"))
    return ["train", "--data", "data.npz", "--model", "net.py:make", "--batch-size", 256,
            "--epochs", 1000, "--no-augment", "--validation", 0, "--memory-budget", "auto",
            "--checkpoint-batches", 1, "--output", "run"]


def test_a_shrinking_limit_ends_in_an_error_and_a_good_checkpoint(tmp_path: Path) -> None:
    options = write_large(tmp_path)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    with memory_group(300 * MIB) as group:
        process = start(*options, folder=tmp_path, preexec_fn=group.join)
        deadline = time.monotonic() + 90
        free = 0  # the most it uses while nothing forces it; between two epochs that is less
        while (position(checkpoint)[0] < 2 or free < 60 * MIB) and process.poll() is None:
            assert time.monotonic() < deadline
            free = max(free, group.used)
            time.sleep(0.02)
        newest = 0
        while process.poll() is None and time.monotonic() < deadline:
            if newest != (newest := checkpoint.stat().st_mtime_ns):  # before it plans a step
                with contextlib.suppress(OSError):  # not below what cannot be given back
                    group.limit = max(int(0.85 * group.limit), group.used + 6 * MIB)
            time.sleep(0.001)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1, (process.returncode, errors)
    assert re.search(r"memory budget of .* is too small: this step needs at least .*\(\d+ bytes\)",
                     errors) and "Traceback" not in errors
    assert f"the last checkpoint is {Path('run') / checkpoint.name}" in errors
    assert position(checkpoint)[0] >= 2
    with reading(checkpoint) as file:
        assert file.metadata["format"]
    assert free >= 60 * MIB

"""fastnn plan: plans, frontiers and pictures."""

import json
from pathlib import Path

import pytest

from tests.cli.command import run

SMALL = ("plan", "--model", "cnn", "--batch", 64)


def test_a_plan_and_its_figures(tmp_path: Path) -> None:
    code, output, errors = run(*SMALL, folder=tmp_path)
    assert (code, errors) == (0, "")
    assert "<- peak" in output and "arena" in output
    code, output, _ = run(*SMALL, "--frontier", "--json", folder=tmp_path)
    figures = json.loads(output)
    sizes, times = zip(*figures["frontier"], strict=True)
    assert code == 0 and len(sizes) > 2
    assert list(sizes) == sorted(sizes) and list(times) == sorted(times, reverse=True)
    assert figures["seconds"] == pytest.approx(times[-1])


def test_a_frontier_is_a_table(tmp_path: Path) -> None:
    code, output, _ = run(*SMALL, "--frontier", folder=tmp_path)
    rows = output.splitlines()
    assert code == 0 and rows[0].split() == ["budget", "ms", "a", "step", "relative"]
    assert rows[-1].endswith("1.000")


def test_pictures(tmp_path: Path) -> None:
    code, _, errors = run(*SMALL, "--picture", tmp_path / "plan.png", folder=tmp_path)
    assert (code, errors) == (0, "")
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_the_largest_batch_fits_and_a_larger_one_does_not(tmp_path: Path) -> None:
    code, output, _ = run("plan", "--model", "cnn", "--largest-batch", "--memory-budget", "150MiB",
                          "--json", folder=tmp_path)
    figures = json.loads(output)
    assert code == 0 and figures["peak_bytes"] <= 150 << 20 and figures["batch"] > 64
    code, _, errors = run("plan", "--model", "cnn", "--batch", 2 * figures["batch"],
                          "--memory-budget", "150MiB", folder=tmp_path)
    assert code == 1 and "too small" in errors
    code, _, errors = run("plan", "--largest-batch", folder=tmp_path)
    assert code == 2 and "--memory-budget" in errors

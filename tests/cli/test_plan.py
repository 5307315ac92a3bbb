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
    code, output, _ = run("plan", "--model", "cnn", "--largest-batch", "--memory-budget", "80MiB",
                          "--json", folder=tmp_path)
    figures = json.loads(output)
    assert code == 0 and figures["peak_bytes"] <= 80 << 20 and figures["batch"] > 64
    code, _, errors = run("plan", "--model", "cnn", "--batch", 2 * figures["batch"],
                          "--memory-budget", "80MiB", folder=tmp_path)
    assert code == 1 and "too small" in errors
    code, _, errors = run("plan", "--largest-batch", folder=tmp_path)
    assert code == 2 and "--memory-budget" in errors


DEEP = """
import os
from fastnn import nn

def make(num_classes, in_channels, depth):
    layers = [nn.Flatten(), nn.Linear(784 * in_channels, 512)]
    for _ in range(depth):
        layers += [nn.ReLU(), nn.Linear(512, 512)]
    return nn.Sequential(*layers, nn.Linear(512, num_classes))

def fixed(num_classes, in_channels):
    return make(num_classes, in_channels, int(os.environ["DEPTH"]))
"""


def test_the_deepest_net_fits_and_one_twice_as_deep_does_not(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEEP)

    def fixed(depth: int, *options: object) -> tuple[int, str, str]:
        return run("plan", "--model", "net.py:fixed", "--batch", 16, "--json", *options,
                   folder=tmp_path, environment={"DEPTH": str(depth)})

    budget = json.loads(fixed(2)[1])["min_bytes"] + (12 << 20)
    code, output, errors = run("plan", "--model", "net.py:make", "--batch", 16, "--deepest",
                               "--memory-budget", budget, folder=tmp_path)
    assert code == 0, errors
    depth = int(output.split("depth ")[1].split(",")[0])
    assert depth >= 2
    code, output, errors = fixed(depth, "--memory-budget", budget)
    assert code == 0 and json.loads(output)["peak_bytes"] <= budget, errors
    code, _, errors = fixed(2 * depth, "--memory-budget", budget)
    assert code == 1 and "too small" in errors


def test_the_deepest_net_of_a_family_and_what_has_no_depth(tmp_path: Path) -> None:
    size = ("--size", 8, "--batch", 2)
    small = ("--deepest", *size)
    least = run("plan", "--model", "resnet8", *size, "--json", folder=tmp_path)[1]
    budget = json.loads(least)["min_bytes"] + (1 << 20)
    code, output, errors = run("plan", "--model", "resnet", *small, "--memory-budget", budget,
                               "--json", folder=tmp_path)
    figures = json.loads(output)
    assert code == 0 and figures["model"] == f"resnet{6 * figures['depth'] + 2}", errors
    (tmp_path / "net.py").write_text(DEEP)
    for options, message in ((("--model", "cnn"), "name one of resnet"),
                             (("--model", "net.py:fixed"), "no argument depth")):
        code, _, errors = run("plan", *options, *small, "--memory-budget", budget,
                              folder=tmp_path, environment={"DEPTH": "1"})
        assert code == 1 and message in errors
    for options in ((), ("--largest-batch", "--memory-budget", budget)):
        assert run("plan", "--model", "resnet", *small, *options, folder=tmp_path)[0] == 2

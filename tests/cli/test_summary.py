"""fastnn summary."""

import json
from pathlib import Path

from tests.cli.command import run


def test_a_table_and_its_figures(tmp_path: Path) -> None:
    code, output, errors = run("summary", "lenet", folder=tmp_path)
    assert (code, errors) == (0, "")
    assert "multiply-adds" in output and "Conv2d" in output
    code, output, _ = run("summary", "lenet", "--json", "--batch", 3, folder=tmp_path)
    figures = json.loads(output)
    assert code == 0 and figures["batch"] == 3
    assert figures["parameters"] == sum(layer["parameters"] for layer in figures["layers"])
    assert figures["multiply_adds"] > 0 and figures["activation_bytes"] > 0


def test_unknown_models_and_usage(tmp_path: Path) -> None:
    code, _, errors = run("summary", "nonet", folder=tmp_path)
    assert code == 1 and "nonet" in errors
    assert run("summary", folder=tmp_path)[0] == 2
    assert run("summary", "--help", folder=tmp_path)[0] == 0

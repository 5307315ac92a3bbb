"""fastnn summary."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastnn.cli import main
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


@pytest.mark.parametrize(("model", "shape", "parameters"), [
    ("lenet", "1,28,28", None), ("mlp", "20", 21 * 512 + 513 * 512 + 513 * 10),
    ("mlp", "3, 4, 5", 61 * 512 + 513 * 512 + 513 * 10)])
def test_a_shape_of_examples(model: str, shape: str, parameters: int | None) -> None:
    result = CliRunner().invoke(main, ["summary", model, "--shape", shape, "--json"])
    assert result.exit_code == 0, result.output
    assert parameters in (None, json.loads(result.output)["parameters"])


@pytest.mark.parametrize("shape", ["", "3,4", "0", "3,x,4", "3,-4,4"])
def test_what_is_no_shape(shape: str) -> None:
    result = CliRunner().invoke(main, ["summary", "mlp", "--shape", shape])
    assert result.exit_code == 2 and "is no shape of an example" in result.output

"""fastnn export: weights for PyTorch's users, and a graph whose labels are those of predict."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import fastnn as fn
from fastnn.cli import main
from fastnn.cli.export import whole
from fastnn.cli.model import make_model
from fastnn.cli.run import read_run

Image = pytest.importorskip("PIL.Image")


def export(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def pixels() -> np.ndarray:
    files = sorted(Path("pictures").rglob("*.png"))
    return np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])


def test_weights(trained: Path, tmp_path: Path) -> None:
    result = export("r", tmp_path / "new" / "net.safetensors")
    assert result.exit_code == 0, result.output
    model, run = make_model("mlp", 2, (3, 8, 10)), read_run(trained / "r")
    fn.load(tmp_path / "new" / "net.safetensors", model)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, run.model.state_dict()[name])


def test_the_whole_net_reads_bytes_as_numbers_to_one(trained: Path) -> None:
    run = read_run(trained / "r")
    x = pixels()
    np.testing.assert_allclose(whole(run, True)(x.astype(np.float32) / 255), run.predictions(x),
                               atol=1e-5)
    np.testing.assert_allclose(whole(run, False)(x.astype(np.float32) / 255), run.outputs(x),
                               atol=1e-4)


def test_onnxruntime_gives_the_same_labels(trained: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    result = export("r", tmp_path / "net.onnx")
    assert result.exit_code == 0, result.output
    session = runtime.InferenceSession(str(tmp_path / "net.onnx"))
    x = pixels()
    chances = np.concatenate([
        session.run(None, {session.get_inputs()[0].name: each[None].astype(np.float32) / 255})[0]
        for each in x])
    expected = read_run(trained / "r").predictions(x)
    np.testing.assert_allclose(chances, expected, atol=1e-4)
    assert (chances.argmax(axis=1) == expected.argmax(axis=1)).all()
    said = json.loads((tmp_path / "net.json").read_text())
    assert said["output"] == {"shape": ["n", 2], "names": ["dark", "light"], "are": "probabilities"}
    assert said["input"]["from"] == "bytes / 255"
    assert said["input"]["pictures"] == "squeezed to 8 x 10, colours"


def test_without_the_extra(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = export("r", tmp_path / "net.onnx")
    assert result.exit_code == 1 and 'pip install "fastnn[onnx]"' in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["r"], ["r", "net.pt"], ["nowhere", "net.onnx"]])
def test_usage(trained: Path, arguments: list[str]) -> None:
    assert export(*arguments).exit_code == 2

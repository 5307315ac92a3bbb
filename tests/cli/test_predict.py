"""fastnn predict: pictures, folders and arrays; tables, files, a grid; a sentence for mistakes."""

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fastnn.cli import main
from fastnn.cli.run import read_run
from tests.cli.command import run as run_alone
from tests.cli.command import write_data
from tests.cli.test_train import save_tables

Image = pytest.importorskip("PIL.Image")


def predict(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


def records(*arguments: object) -> list[dict[str, Any]]:
    result = predict(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_pictures_of_a_folder(trained: Path) -> None:
    result = predict("r", "pictures/dark", "pictures/light/05.png")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines() if ".png" in line]
    assert [line[0] for line in lines] == [
        *(f"pictures/dark/{i:02}.png" for i in range(24)), "pictures/light/05.png"]
    assert [line[1] for line in lines] == [
        "light" if i == 3 else "dark" for i in range(24)] + ["light"]
    assert all(line[2].endswith("%") for line in lines)


def test_probabilities_are_the_softmax_of_the_runs_outputs(trained: Path) -> None:
    found = records("r", "pictures")
    run = read_run(trained / "r")
    pixels = np.stack([np.asarray(Image.open(each["file"])).transpose(2, 0, 1) for each in found])
    scores = run.outputs(pixels).astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for each, expected in zip(found, chances, strict=True):
        ranked = {top["class"]: top["probability"] for top in each["top"]}
        np.testing.assert_allclose([ranked[name] for name in run.classes], expected, atol=1e-6)
        assert each["probability"] == max(ranked.values())
        assert each["class"] == run.classes[expected.argmax()] == each["top"][0]["class"]


def test_a_run_knows_how_pictures_are_read(trained: Path) -> None:
    rule = read_run(trained / "r").pictures
    assert rule is not None and str(rule) == "squeezed to 8 x 10, colours"


def test_other_sizes_and_modes_are_brought_to_the_nets(trained: Path, tmp_path: Path) -> None:
    pixels = np.asarray(Image.open("pictures/light/01.png"))
    large = Image.fromarray(pixels).resize((50, 40))
    large.save(tmp_path / "large.png")
    large.convert("L").save(tmp_path / "grey.png")
    large.convert("RGBA").save(tmp_path / "clear.png")
    squeezed = np.asarray(Image.open(tmp_path / "large.png").resize((10, 8), 2))
    np.save(tmp_path / "same.npy", squeezed.transpose(2, 0, 1))
    found = records("r", tmp_path, tmp_path / "same.npy")
    assert [each["class"] for each in found] == ["light"] * 4
    by_name = {Path(each["file"]).name: each["probability"] for each in found}
    assert by_name["same.npy[0]"] == by_name["large.png"] == by_name["clear.png"]
    refused = predict("r", tmp_path / "large.png", "--no-resize")
    assert refused.exit_code == 1
    assert "large.png: is 40 pixels high and 50 wide, the net reads 8 and 10" in refused.output
    assert predict("r", "pictures/dark/00.png", "--no-resize").exit_code == 0


def test_arrays_and_the_order_of_what_is_given(trained: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 10), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x / 255, y=np.zeros(5))
    np.savez(tmp_path / "one.npz", anything=x[0])
    found = records("r", tmp_path / "x.npy", "pictures/dark/00.png", tmp_path / "x.npz",
                    tmp_path / "one.npz", "--batch-size", 2)
    names = [Path(each["file"]).name for each in found]
    assert names == [*(f"x.npy[{i}]" for i in range(5)), "00.png",
                     *(f"x.npz[{i}]" for i in range(5)), "one.npz[0]"]
    chances = [each["probability"] for each in found]
    np.testing.assert_allclose(chances[:5], chances[6:11], atol=1e-5)
    assert chances[11] == chances[0]


@pytest.mark.parametrize("top", [1, 2, 9])
def test_files(trained: Path, tmp_path: Path, top: int) -> None:
    result = predict("r", "pictures", "--output", tmp_path / "o.csv", "--top", top)
    assert result.exit_code == 0, result.output
    assert "and 8 more; --output" in result.output and "written: " in result.output
    with open(tmp_path / "o.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = records("r", "pictures", "--top", top)
    assert [row["class"] for row in rows] == [each["class"] for each in found]
    assert list(rows[0]) == ["file", "class", "probability",
                             *(["class_2", "probability_2"] if top > 1 else [])]
    assert predict("r", "pictures", "--output", tmp_path / "o.jsonl", "--top", top).exit_code == 0
    assert [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()] == found


def test_a_grid(trained: Path, tmp_path: Path) -> None:
    result = predict("r", "pictures/dark", "--grid", tmp_path / "g.png")
    assert result.exit_code == 0 and "g.png" in result.output
    assert Image.open(tmp_path / "g.png").size[0] > 500


def test_real_targets_and_examples_of_floats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_tables(tmp_path / "table")
    result = CliRunner().invoke(main, ["train", "--data", "table", "--model", "mlp", "--epochs",
                                       "1", "--lr", "0.01", "--output", "r"])
    assert result.exit_code == 0, result.output
    found = records("r", "table/x_test.npy")
    expected = read_run(Path("r")).outputs(np.load("table/x_test.npy"))
    np.testing.assert_allclose([list(each["values"].values()) for each in found], expected,
                               rtol=1e-6)
    assert list(found[0]["values"]) == ["0", "1"]
    for arguments, words in (
            (["table/x_test.npy", "--grid", "g.png"], "--grid draws pictures"),
            (["a.png"], "was not trained on pictures, as far as its folder says")):
        Path("a.png").touch()
        result = predict("r", *arguments)
        assert result.exit_code == 1 and words in result.output, result.output
    x = np.arange(5, dtype=np.uint8)
    np.save("bytes.npy", x)
    np.save("floats.npy", x.astype(float))
    bytes_, floats = (records("r", name)[0]["values"] for name in ("bytes.npy", "floats.npy"))
    assert bytes_ == pytest.approx(floats, rel=1e-5)


BAD: dict[str, tuple[list[str], str]] = {
    "no file": (["gone.png"], "gone.png: No such file or folder"),
    "no picture": (["bad.png"], "bad.png: cannot be read as an image"),
    "another kind": (["notes.txt"], "notes.txt: expected a picture (.bmp, .gif"),
    "an empty folder": (["empty"], "empty: no picture in this folder"),
    "another shape": (["shape.npy"], "shape.npy: has shape (4, 3, 9, 9), the run's examples are "
                                     "(n, 3, 8, 10)"),
    "no numbers": (["text.npy"], "text.npy, from example 0 on: has dtype <U1"),
    "NaN": (["nan.npy"], "nan.npy, from example 0 on: x holds NaN"),
    "another scale": (["scale.npy"], "was trained on bytes: give uint8, or numbers from 0 to 1"),
    "which array": (["two.npz"], "two.npz: holds a, b, expected an array x or x_test"),
    "no array": (["cut.npz"], "cut.npz: expected an .npz file"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_give_one_sentence(
    trained: Path, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    np.save("shape.npy", np.zeros((4, 3, 9, 9), np.uint8))
    np.save("text.npy", np.full((1, 3, 8, 10), "a"))
    np.save("nan.npy", np.full((1, 3, 8, 10), np.nan))
    np.save("scale.npy", np.full((1, 3, 8, 10), 200.0))
    np.savez("two.npz", a=1, b=2)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:100])
    Path("o.csv").write_text("kept")
    files, words = BAD[case]
    result = predict(trained / "r", *files, "--output", "o.csv")
    assert result.exit_code == 1 and words in result.output, result.output
    assert len(result.output.strip().splitlines()) == 1
    assert Path("o.csv").read_text() == "kept"


@pytest.mark.parametrize(("file", "words"), [
    ("run.json", "run.json: No such file"), ("weights.safetensors", "weights.safetensors: No such"),
])
def test_a_run_without_its_files(trained: Path, tmp_path: Path, file: str, words: str) -> None:
    shutil.copytree("r", tmp_path / "r")
    os.unlink(tmp_path / "r" / file)
    result = predict(tmp_path / "r", "pictures")
    assert result.exit_code == 1 and words in result.output, result.output


def test_runs_of_older_formats_and_of_newer_ones(trained: Path, tmp_path: Path) -> None:
    shutil.copytree("r", tmp_path / "r")
    path = tmp_path / "r" / "run.json"
    content = json.loads(path.read_text())
    old = {name: value for name, value in content.items()
           if name not in ("format", "task", "dtype", "pictures")}
    path.write_text(json.dumps(old))
    np.save(tmp_path / "x.npy", np.full((1, 3, 8, 10), 200, np.uint8))
    assert records(tmp_path / "r", tmp_path / "x.npy")[0]["class"] == "light"
    assert "not trained on pictures" in predict(tmp_path / "r", "pictures").output
    for changes, words in (({"format": 3}, "format 3, this fastnn reads 1 to 2"),
                           ({"task": "fly"}, "task is 'fly'"),
                           ({"pictures": {"size": [9, 9], "mode": "L", "central": False}},
                            "pictures are squeezed to 9 x 9, grey, example_shape is [3, 8, 10]")):
        path.write_text(json.dumps(content | changes))
        result = predict(tmp_path / "r", "pictures")
        assert result.exit_code == 1 and words in result.output, result.output


@pytest.mark.parametrize("arguments", [
    ["r"], ["nowhere", "a.png"], ["r", "a.png", "--output", "o.txt"], ["r", "a.png", "--top", "0"],
    ["r", "a.png", "--grid", "g.csv"]])
def test_usage(trained: Path, arguments: list[str]) -> None:
    assert predict(*arguments).exit_code == 2


def test_a_net_with_a_class_for_each_pixel_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("from fastnn import nn\n\ndef make(num_classes, in_channels):\n"
                              "    return nn.Conv2d(in_channels, num_classes, 1)\n")
    x = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    np.savez("data.npz", x=x, y=(x[:, 0] > 99).astype(np.int64))
    result = CliRunner().invoke(main, ["train", "--data", "data.npz", "--model", "net.py:make",
                                       "--epochs", "1", "--output", "r", "--no-augment"])
    assert result.exit_code == 0, result.output
    for command in (["predict", "r", "data.npz"], ["evaluate", "r", "--part", "all"]):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 1 and "the net returns (6, 2, 4, 4)" in result.output


def test_in_a_process_of_its_own_and_with_a_model_of_a_file(tmp_path: Path) -> None:
    from tests.cli.command import NET

    (tmp_path / "net.py").write_text(NET)
    write_data(tmp_path / "data.npz")
    code, _, errors = run_alone("train", "--data", "data.npz", "--model", "net.py:make",
                                "--epochs", 1, "--output", "r", folder=tmp_path)
    assert code == 0, errors
    code, output, errors = run_alone("predict", "r", "data.npz", folder=tmp_path)
    assert code == 0 and errors == "" and output.count("data.npz[") == 12

"""fastnn evaluate: figures equal scikit-learn's; parts of the data, other data, files, mistakes."""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fastnn.cli import main
from fastnn.cli.run import read_run
from tests.cli.command import write_pictures

Image = pytest.importorskip("PIL.Image")


def evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def figures(*arguments: object) -> dict[str, Any]:
    result = evaluate(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def all_pictures() -> tuple[np.ndarray, np.ndarray]:
    """Every picture of the folder with the number of its class."""
    files = sorted(Path("pictures").rglob("*.png"))
    x = np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])
    return x, np.array([int(file.parent.name == "light") for file in files])


def test_the_figures_of_scikit_learn(trained: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    found = figures("r", "--part", "all")
    x, y = all_pictures()
    scores = read_run(trained / "r").outputs(x).astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    said = scores.argmax(axis=1)
    expected = metrics.classification_report(y, said, output_dict=True)
    for row in found["classes"]:
        other = expected[str(["dark", "light"].index(row["name"]))]
        for name, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"),
                             ("support", "support")):
            assert row[name] == pytest.approx(other[theirs])
    for row, theirs in ((found["macro"], "macro avg"), (found["weighted"], "weighted avg")):
        assert row["f1"] == pytest.approx(expected[theirs]["f1-score"])
    assert found["accuracy"] == pytest.approx(expected["accuracy"]) and found["examples"] == 48
    assert found["confusion_matrix"] == metrics.confusion_matrix(y, said).tolist()
    assert found["loss"] == pytest.approx(metrics.log_loss(y, chances), rel=1e-5)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(y, chances[:, 1]), rel=1e-5)


def test_the_test_part_is_what_the_run_was_tested_on(trained: Path) -> None:
    result = json.loads((trained / "r" / "result.json").read_text())
    for arguments in ([], ["--part", "test"], ["--data", "pictures"]):
        found = figures("r", *arguments)
        assert found["part"] == "test" and found["examples"] == 10
        assert found["loss"] == pytest.approx(result["test_loss"], rel=1e-5)
        assert found["accuracy"] == pytest.approx(result["test_accuracy"])
    held_out = figures("r", "--part", "validation")
    assert held_out["accuracy"] == pytest.approx(result["validation_accuracy"])
    assert held_out["examples"] + figures("r", "--part", "train")["examples"] == 38


def test_files_and_pictures(trained: Path, tmp_path: Path) -> None:
    result = evaluate("r", "--part", "all", "--output", tmp_path / "e")
    assert result.exit_code == 0, result.output
    for words in ("pictures, all: 48 examples", "macro avg", "confusion matrix", "surest mistakes",
                  "expected calibration error: 0."):
        assert words in result.output
    assert {path.name for path in (tmp_path / "e").iterdir()} == {
        "evaluation.json", "classes.csv", "confusion.csv", "mistakes.csv", "confusion.png",
        "calibration.png", "mistakes.png"}
    assert json.loads((tmp_path / "e" / "evaluation.json").read_text()) == figures(
        "r", "--part", "all")
    with open(tmp_path / "e" / "mistakes.csv", newline="") as stream:
        mistakes = list(csv.DictReader(stream))
    assert {tuple(row[name] for name in ("example", "actual", "predicted")) for row in mistakes} \
        == {(str(trained / "pictures/dark/03.png"), "dark", "light"),
            (str(trained / "pictures/light/03.png"), "light", "dark")}
    for row in mistakes:
        assert float(row["probability"]) + float(row["probability_of_actual"]) == pytest.approx(1)
    with open(tmp_path / "e" / "confusion.csv", newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["actual", "dark", "light"], ["dark", "23", "1"], ["light", "1", "23"]]


def test_other_data_are_taken_whole_and_classes_go_by_name(trained: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "more", 6)
    shutil.rmtree(tmp_path / "more" / "dark")
    found = figures("r", "--data", tmp_path / "more")
    assert found["part"] == "all" and [row["support"] for row in found["classes"]] == [0, 6]
    x, y = all_pictures()
    np.savez(tmp_path / "numbers.npz", x=x, y=y)
    np.savez(tmp_path / "names.npz", x=x, y=1 - y, classes=np.array(["light", "dark"]))
    both = [figures("r", "--data", tmp_path / name) for name in ("numbers.npz", "names.npz")]
    assert both[0] == both[1] and both[0]["accuracy"] == pytest.approx(46 / 48)


def test_without_mistakes_there_is_no_picture_of_them(trained: Path, tmp_path: Path) -> None:
    x, y = all_pictures()
    right = read_run(trained / "r").outputs(x).argmax(axis=1) == y
    np.savez(tmp_path / "right.npz", x=x[right], y=y[right])
    result = evaluate("r", "--data", tmp_path / "right.npz", "--output", tmp_path / "e")
    assert result.exit_code == 0 and "surest" not in result.output
    assert not (tmp_path / "e" / "mistakes.png").exists()


def save_bad(folder: Path) -> None:
    x, y = np.zeros((4, 3, 8, 10), np.uint8), np.arange(4) % 2
    np.savez(folder / "names.npz", x=x, y=y, classes=np.array(["dark", "bright"]))
    np.savez(folder / "many.npz", x=x, y=np.arange(4))
    np.savez(folder / "real.npz", x=x, y=np.zeros((4, 1), np.float32))
    np.savez(folder / "shape.npz", x=x[:, :, :, :9], y=y)
    np.savez(folder / "scale.npz", x=x + 7.0, y=y)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--data", "names.npz"], "names.npz: the run has no class 'bright', only dark, light"),
    (["--data", "many.npz"], "many.npz: the run has no class '2', only dark, light"),
    (["--data", "real.npz"], "real.npz: targets are real numbers, the run predicts classes"),
    (["--data", "shape.npz"], "shape.npz: has shape (4, 3, 8, 9), the run's examples are"),
    (["--data", "scale.npz"], "was trained on bytes"),
    (["--data", "gone.npz"], "gone.npz: no such file or folder"),
    (["--data", "names.npz", "--part", "test"], "names.npz has no examples for test: choose"),
])
def test_data_that_do_not_fit(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_bad(tmp_path)
    result = evaluate(trained / "r", *arguments, "--output", "e")
    assert result.exit_code == 1 and words in result.output, result.output
    assert not Path("e").exists()


def test_without_matplotlib_figures_are_written_all_the_same(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = evaluate("r", "--output", tmp_path / "e")
    assert result.exit_code == 0 and 'pip install "fastnn[plot]"' in result.output
    assert (tmp_path / "e" / "evaluation.json").exists()

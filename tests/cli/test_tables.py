"""Tables from training to prediction: classes, labels and real numbers; a sentence for bad ones."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fastnn.cli import main
from fastnn.cli.run import read_run

pytest.importorskip("pandas")
HEAD = "age,town,income,owns,travels,buys\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text(HEAD + "".join(row + "\n" for row in rows(80)))


def rows(count: int) -> list[str]:
    """Income follows from age and town, and so do what they buy, own and whether they travel."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(count):
        age, town = generator.integers(20, 70), ["Bonn", "Ulm", "Kiel"][generator.integers(3)]
        income = 1000 + 20.5 * age + (500 if town == "Ulm" else 0)
        found.append(f"{age},{town},{income},{int(age > 45)},{int(town == 'Kiel')},"
                     f"{'car' if age > 45 else 'bicycle'}")
    return found


def fastnn(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def train(*arguments: object, data: str = "people.csv", epochs: int = 30) -> Result:
    return fastnn("train", "--data", data, "--epochs", epochs, "--batch-size", 16, "--output", "r",
                  *arguments)


def result_of(*arguments: object) -> Any:
    result = fastnn(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_classes() -> None:
    result = train("--target", "buys", "--ignore", "owns, travels")
    assert result.exit_code == 0, result.output
    assert "task:   classification: bicycle, car" in result.output
    run = read_run(Path("r"))
    assert run.encoder is not None and run.encoder.features == (
        "age", "town=Bonn", "town=Kiel", "town=Ulm", "income")
    steps = run.preprocess.steps
    assert steps.std is not None and (steps.mean.ravel()[1:4] == 0).all()
    assert (steps.std.ravel()[1:4] == 1).all() and steps.mean.ravel()[0] > 30
    [figures] = result_of("evaluate", "r")
    assert figures["part"] == "test" and figures["examples"] == 15 and figures["accuracy"] > 0.9
    tested = json.loads(Path("r/result.json").read_text())
    assert figures["loss"] == pytest.approx(tested["test_loss"], rel=1e-4)
    Path("new.csv").write_text("town,more,age,income\nUlm,?,22,1951\nBonn,?,68,2394\n")
    found = result_of("predict", "r", "new.csv")
    assert [each["class"] for each in found] == ["bicycle", "car"]
    assert [each["file"] for each in found] == ["new.csv[1]", "new.csv[2]"]


def test_real_numbers_are_predicted_in_their_own_units() -> None:
    result = train("--target", "income", "--ignore", "owns,travels,buys", epochs=60)
    assert result.exit_code == 0, result.output
    assert "task:   regression: income" in result.output
    result = fastnn("evaluate", "r", "--part", "all", "--output", "e")
    assert result.exit_code == 0 and "root mean squared error" in result.output, result.output
    assert {path.name for path in Path("e").iterdir()} == {
        "evaluation.json", "targets.csv", "predicted.png"}
    figures = json.loads(Path("e/evaluation.json").read_text())
    assert figures["r2"] > 0.9
    assert fastnn("predict", "r", "people.csv", "--output", "o.csv").exit_code == 0
    with open("o.csv", newline="") as stream, open("people.csv", newline="") as actual:
        said = np.array([float(row["income"]) for row in csv.DictReader(stream)])
        true = np.array([float(row["income"]) for row in csv.DictReader(actual)])
    metrics = pytest.importorskip("sklearn.metrics")
    assert figures["r2"] == pytest.approx(metrics.r2_score(true, said), abs=1e-4)
    assert figures["mae"] == pytest.approx(metrics.mean_absolute_error(true, said), rel=1e-3)
    assert figures["rmse"] == pytest.approx(
        metrics.root_mean_squared_error(true, said), rel=1e-3)
    run = read_run(Path("r"))
    assert run.target is not None and run.target.std[0] == pytest.approx(true.std(), rel=0.2)


def test_labels() -> None:
    result = train("--target", "owns,travels", "--ignore", "buys")
    assert result.exit_code == 0, result.output
    assert "task:   multilabel: owns, travels" in result.output
    assert "test binary_accuracy: " in result.output
    [figures] = result_of("evaluate", "r", "--part", "all")
    found = result_of("predict", "r", "people.csv")
    metrics = pytest.importorskip("sklearn.metrics")
    with open("people.csv", newline="") as stream:
        true = np.array([[int(row[name]) for name in ("owns", "travels")]
                         for row in csv.DictReader(stream)])
    said = np.array([[name in each["labels"] for name in ("owns", "travels")] for each in found])
    expected = metrics.precision_recall_fscore_support(true, said)
    for place, row in enumerate(figures["labels"]):
        assert [row[name] for name in ("precision", "recall", "f1", "support")] == pytest.approx(
            [each[place] for each in expected])
    assert figures["exact"] == pytest.approx(metrics.accuracy_score(true, said))
    chances = np.array([list(each["probabilities"].values()) for each in found])
    loss = np.mean([metrics.log_loss(true[:, i], chances[:, i]) for i in range(2)])
    assert figures["loss"] == pytest.approx(loss, rel=1e-3)
    assert fastnn("predict", "r", "people.csv", "--output", "o.csv").exit_code == 0
    assert Path("o.csv").read_text().startswith("file,labels,owns,travels\n")
    assert fastnn("evaluate", "r", "--output", "e").exit_code == 0
    assert {path.name for path in Path("e").iterdir()} == {"evaluation.json", "labels.csv"}


def test_a_table_run_resumes_and_repeats() -> None:
    assert train("--target", "buys", epochs=2).exit_code == 0
    assert fastnn("train", "--resume", "r", "--epochs", 3).exit_code == 0
    result = fastnn("train", "--config", "r/run.toml", "--epochs", 2, "--output", "again")
    assert result.exit_code == 0, result.output
    assert read_run(Path("again")).classes == ("bicycle", "car")


@pytest.mark.parametrize(("target", "task", "expected"), [
    ("age", None, "regression"), ("owns", None, "classification"),
    ("owns", "regression", "regression"), ("income,age", None, "regression"),
    ("travels", "multilabel", "multilabel")])
def test_the_task_is_told_or_found(target: str, task: str | None, expected: str) -> None:
    options = ["--task", task] if task else []
    result = train("--target", target, *options, epochs=1)
    assert result.exit_code == 0 and f"task:   {expected}: " in result.output, result.output


def test_arrays_have_tasks_too() -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.savez("numbers.npz", x=x, y=np.arange(40) % 4)
    np.savez("labels.npz", x=x, y=(x[:, :2] > 0).astype(np.float32))
    for data, task, loss in (("numbers.npz", "regression", "rmse"),
                             ("labels.npz", "multilabel", "exact")):
        result = fastnn("train", "--data", data, "--task", task, "--model", "mlp", "--lr", 0.01,
                        "--epochs", 2, "--output", task)
        assert result.exit_code == 0, result.output
        assert loss in result_of("evaluate", task, "--part", "all")[0]


BAD: dict[str, tuple[Callable[[list[str]], list[str]], list[str], str]] = {
    "text in a column of numbers": (
        lambda rows: ["old" + row[2:] if i == 4 else row for i, row in enumerate(rows)],
        ["--target", "buys"], "people.csv: column 'age' holds 'old' (row 5) among numbers"),
    "missing values": (
        lambda rows: [row[2:] if i in (2, 7) else row for i, row in enumerate(rows)],
        ["--target", "buys"], "column 'age' has 2 missing values (the first in row 3)"),
    "one class": (lambda rows: [f"{row.rpartition(',')[0]},car" for row in rows],
                  ["--target", "buys"], "column 'buys' holds one class alone, 'car'"),
    "one number": (lambda rows: [f"{row.rpartition(',')[0]},1.5" for row in rows],
                   ["--target", "buys"], "column 'buys' holds one number alone"),
    "a missing target": (lambda rows: [rows[0].rpartition(",")[0] + ",", *rows[1:]],
                         ["--target", "buys"], "column 'buys' has 1 missing values"),
    "no target": (lambda rows: rows, [], "name the column to predict by --target; it has age, "),
    "another target": (lambda rows: rows, ["--target", "buy"], "no column 'buy'; did you mean"),
    "another column": (lambda rows: rows, ["--target", "buys", "--ignore", "Town"],
                       "no column 'Town'; did you mean 'town'?"),
    "names": (lambda rows: [row.replace(",", f",x{i}", 1) for i, row in enumerate(rows)],
              ["--target", "buys"], "column 'town' holds 80 different texts in 80 rows, too many"),
    "many classes": (lambda rows: rows, ["--target", "income", "--task", "classification"],
                     "of real numbers the task is regression"),
    "texts as numbers": (lambda rows: rows, ["--target", "buys", "--task", "regression"],
                         "expected a number"),
    "no labels": (lambda rows: rows, ["--target", "age,owns", "--task", "multilabel"],
                  "expected labels of 0 or 1"),
    "two columns of classes": (
        lambda rows: rows, ["--target", "buys,town", "--task", "classification"],
        "classes are in one column"),
    "nothing to predict from": (
        lambda rows: rows, ["--target", "buys", "--ignore", "age,town,income,owns,travels"],
        "no column is left"),
    "no rows": (lambda rows: [], ["--target", "buys"], "a table without rows"),
    "more cells in a row": (lambda rows: [rows[0], rows[1] + ",1,2", *rows[2:]],
                            ["--target", "buys"], "cannot be read as a table"),
    "label smoothing": (lambda rows: rows, ["--target", "income", "--label-smoothing", "0.1"],
                        "label_smoothing is for classification, not for regression"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_give_one_sentence(case: str) -> None:
    change, options, words = BAD[case]
    Path("people.csv").write_text(HEAD + "".join(row + "\n" for row in change(rows(80))))
    result = train(*options)
    assert result.exit_code == 1 and words in result.output, result.output
    assert len(result.output.strip().splitlines()) == 1 and not Path("r").exists()


@pytest.mark.parametrize(("text", "words"), [
    ("age,town\n30,Ulm", "no column 'income'"),
    ("age,town,income\n30,Köln,1", "column 'town' holds 'Köln' (row 1), which was not there in "
                                   "training; expected Bonn, Kiel, Ulm"),
    ("age,town,income\n30,ulm,1", "did you mean 'Ulm'?"),
    ("age,town,income\n30,Ulm,1\nold,Ulm,1", "column 'age' holds 'old' (row 2), expected a number"),
    ("age,town,income\n30,Ulm,1\n,Ulm,1", "column 'age' has 1 missing values"),
    ("", "new.csv: cannot be read as a table"), ("age,town,income\n", "without rows")])
def test_rows_that_do_not_fit_the_run(text: str, words: str) -> None:
    assert train("--target", "buys", "--ignore", "owns,travels", epochs=1).exit_code == 0
    Path("new.csv").write_text(text)
    result = fastnn("predict", "r", "new.csv")
    assert result.exit_code == 1 and words in result.output, result.output
    Path("x.npy").touch()
    result = fastnn("predict", "r", "x.npy")
    assert result.exit_code == 1 and "was trained on a table" in result.output


def test_a_class_that_was_not_there() -> None:
    assert train("--target", "buys", "--ignore", "owns,travels", epochs=1).exit_code == 0
    Path("new.csv").write_text("age,town,income,buys\n30,Ulm,1,horse\n")
    result = fastnn("evaluate", "r", "--data", "new.csv")
    assert result.exit_code == 1 and "'horse' (row 1), which was not there" in result.output


@pytest.mark.parametrize(("changes", "words"), [
    ({"columns": 3}, "TypeError"), ({"target": {}}, "KeyError"),
    ({"columns": [{"name": "age", "categories": None}]}, "a table of 1 features"),
    ({"target": {"task": "regression", "columns": ["income"], "classes": [], "mean": [1, 2],
                 "std": [1]}}, "1 targets"),
    ({"target": {"task": "regression", "columns": ["income", "age"], "classes": [],
                 "mean": [1, 2], "std": [1, 2]}}, "2 names of 1 outputs")])
def test_a_damaged_description_of_a_table(changes: dict[str, Any], words: str) -> None:
    assert train("--target", "income", "--ignore", "owns,travels,buys", epochs=1).exit_code == 0
    path = Path("r/run.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "table": {**content["table"], **changes}}))
    result = fastnn("predict", "r", "people.csv")
    assert result.exit_code == 1 and words in result.output, result.output
    assert "run.json: expected what a run says" in result.output


@pytest.mark.parametrize("options", [
    ["--data", "x.npz", "--target", "buys"], ["--data", "x.npz", "--ignore", "buys"],
    ["--data", "x.npz", "--task", "regression", "--pretrained", "efficientnet-lite0"],
    ["--data", "people.csv", "--task", "fly"]])
def test_usage(options: list[str]) -> None:
    assert fastnn("train", *options).exit_code == 2

"""The report of a confusion matrix, and its picture."""

from pathlib import Path

import numpy as np
import pytest

from fastnn.metrics import ConfusionMatrix, class_report


@pytest.mark.parametrize("classes", [2, 5])
def test_figures_are_scikit_learns(classes: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(classes)
    y = generator.integers(0, classes - 1, 60)  # the last class never occurs
    outputs = generator.normal(size=(60, classes))
    outputs[:, 0] -= 9  # and the first is never predicted
    matrix = ConfusionMatrix()
    matrix.update(outputs, y)
    found = class_report(matrix)
    expected = metrics.classification_report(
        y, outputs.argmax(axis=1), labels=range(classes), output_dict=True, zero_division=0)
    for row in found.rows:
        theirs = expected[row.name]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"]))
    occurring = metrics.classification_report(
        y, outputs.argmax(axis=1), output_dict=True, zero_division=0)
    for row in (found.macro, found.weighted):
        theirs = occurring[row.name]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (theirs["precision"], theirs["recall"], theirs["f1-score"], theirs["support"]))


@pytest.mark.parametrize(("matrix", "names", "words"), [
    (np.zeros((2, 2)), None, "at least one"), (np.ones((2, 3)), None, "expected counts"),
    (-np.eye(2), None, "counts from 0 on"), (np.eye(2), ["a"], "names are 1"),
    (np.array([["a"]]), None, "expected counts"), (ConfusionMatrix(), None, "expected counts")])
def test_what_is_no_matrix(matrix: object, names: list[str] | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        class_report(matrix, names)


@pytest.mark.parametrize("classes", [3, 40, 90])
@pytest.mark.parametrize("normalize", [None, "true"])
def test_a_picture(tmp_path: Path, classes: int, normalize: str | None) -> None:
    pytest.importorskip("matplotlib")
    matrix = ConfusionMatrix(normalize)
    with pytest.raises(ValueError, match="nothing was counted"):
        matrix.plot()
    matrix.update(np.eye(classes)[:, ::-1], np.arange(classes))
    figure = matrix.plot([f"class {i}" for i in range(classes)], str(tmp_path / "c.png"))
    axes = figure.axes[0]
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "actual"
    assert len(axes.texts) == (classes if classes <= 30 else 0)
    assert len(axes.get_xticks()) <= 60
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="names are 2, the matrix has"):
        matrix.plot(["one", "two"])


def test_a_picture_in_axes_of_ones_own() -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.add_subplot()
    matrix = ConfusionMatrix()
    matrix.update(np.eye(2), np.arange(2))
    assert matrix.plot(axes=axes) is figure and axes.get_xlabel() == "predicted"

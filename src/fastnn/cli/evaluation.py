"""Figures of a net on examples whose targets are known, as tables, files and pictures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.evaluation_data import Examined
from fastnn.cli.run import Run
from fastnn.files.write import replacing
from fastnn.metrics import (
    Brier,
    CalibrationError,
    ClassReport,
    ConfusionMatrix,
    NegativeLogLikelihood,
    class_report,
    margins,
)

WORST = 25  # mistakes that are drawn and listed
WIDE = 100  # most columns of a row of a table that is printed


@dataclass(frozen=True)
class ClassEvaluation:
    """Of a net that predicts classes.

    figures: loss, accuracy and calibration. mistakes: places of the surest wrong predictions, the
    surest first.
    """

    run: Run
    data: Examined
    chances: np.ndarray
    figures: dict[str, float]
    matrix: ConfusionMatrix
    calibration: CalibrationError
    report: ClassReport
    mistakes: np.ndarray

    @property
    def result(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return {"part": self.data.part, "examples": len(self.data.y), **self.figures,
                "classes": [asdict(row) for row in self.report.rows],
                "macro": asdict(self.report.macro), "weighted": asdict(self.report.weighted),
                "confusion_matrix": self.matrix.value().tolist()}

    def mistake(self, place: int) -> dict[str, Any]:
        """What was wrong with the prediction of an example."""
        chances, actual = self.chances[place], int(self.data.y[place])
        said = int(chances.argmax())
        return {"example": self.data.names[place], "actual": self.run.classes[actual],
                "predicted": self.run.classes[said],
                "probability": round(float(chances[said]), 6),
                "probability_of_actual": round(float(chances[actual]), 6)}

    def write(self, folder: Path) -> None:
        """Write JSON and CSV files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        names = self.run.classes
        _write(folder / "evaluation.json", json.dumps(self.result, indent=1) + "\n")
        _table(folder / "classes.csv", list(asdict(self.report.macro)), [
            list(asdict(row).values())
            for row in (*self.report.rows, self.report.macro, self.report.weighted)])
        _table(folder / "confusion.csv", ["actual", *names], [
            [name, *row] for name, row in zip(names, self.matrix.value(), strict=True)])
        found = [self.mistake(place) for place in self.mistakes]
        _table(folder / "mistakes.csv", ["example", "actual", "predicted", "probability",
                                         "probability_of_actual"],
               [list(each.values()) for each in found])

    def draw(self, folder: Path) -> list[str]:
        """Write pictures into a folder; returns their names. Raises ImportError."""
        self.matrix.plot(self.run.classes, str(folder / "confusion.png"))
        self.calibration.plot(str(folder / "calibration.png"))
        names = ["confusion.png", "calibration.png"]
        x = self.data.x
        if len(self.mistakes) and x.ndim == 4 and x.shape[1] in (1, 3):
            from fastnn.insight.picture_grid import picture_grid

            found = [self.mistake(place) for place in self.mistakes]
            picture_grid(x[self.mistakes], [
                f"is {each['actual']}\nsaid {each['predicted']} {each['probability']:.0%}"
                for each in found], str(folder / "mistakes.png"))
            names.append("mistakes.png")
        return names


def evaluate_classes(run: Run, data: Examined, outputs: np.ndarray) -> ClassEvaluation:
    """outputs: (n, classes), of the net, of all examples."""
    matrix, calibration = ConfusionMatrix(), CalibrationError()
    loss, brier = NegativeLogLikelihood(), Brier()
    for metric in (matrix, calibration, loss, brier):
        metric.update(outputs, data.y)
    report = class_report(matrix, run.classes)
    figures = {"loss": float(loss.value() or 0.0), "accuracy": report.accuracy,
               "ece": float(calibration.value() or 0.0), "brier": float(brier.value() or 0.0)}
    by = margins(outputs, data.y)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != data.y)
    worst = wrong[np.argsort(by[wrong], kind="stable")][:WORST]
    chances = np.exp(outputs.astype(np.float64) - np.logaddexp.reduce(
        outputs.astype(np.float64), axis=1, keepdims=True))
    return ClassEvaluation(run, data, chances, figures, matrix, calibration, report, worst)


def _table(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    _write(path, text.getvalue())


def _write(path: Path, text: str) -> None:
    with replacing(path) as stream:
        stream.write(text.encode())

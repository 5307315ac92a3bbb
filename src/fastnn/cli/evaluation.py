"""Figures of a net on examples whose targets are known, as tables, files and pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.evaluation_data import Examined
from fastnn.cli.evaluation_files import write_json, write_table
from fastnn.cli.run import Run
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

    def write(self, folder: Path) -> list[str]:
        """Write JSON and CSV files into a folder; returns their names."""
        names = self.run.classes
        write_json(folder / "evaluation.json", self.result)
        write_table(folder / "classes.csv", list(asdict(self.report.macro)), [
            list(asdict(row).values())
            for row in (*self.report.rows, self.report.macro, self.report.weighted)])
        write_table(folder / "confusion.csv", ["actual", *names], [
            [name, *row] for name, row in zip(names, self.matrix.value(), strict=True)])
        found = [self.mistake(place) for place in self.mistakes]
        write_table(folder / "mistakes.csv",
                    ["example", "actual", "predicted", "probability", "probability_of_actual"],
                    [list(each.values()) for each in found])
        return ["evaluation.json", "classes.csv", "confusion.csv", "mistakes.csv"]

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


def evaluate_classes(run: Run, data: Examined, chances: np.ndarray) -> ClassEvaluation:
    """chances: (n, classes), probabilities, of all examples."""
    outputs = np.log(np.maximum(chances, np.finfo(np.float64).tiny))
    matrix, calibration = ConfusionMatrix(), CalibrationError()
    loss, brier = NegativeLogLikelihood(), Brier()
    for metric in (matrix, calibration, loss, brier):
        metric.update(outputs, data.y)
    report, by = class_report(matrix, run.classes), margins(outputs, data.y)
    figures = {"loss": float(loss.value() or 0.0), "accuracy": report.accuracy,
               "margin": float(by.mean()), "ece": float(calibration.value() or 0.0),
               "brier": float(brier.value() or 0.0)}
    wrong = np.flatnonzero(outputs.argmax(axis=1) != data.y)
    worst = wrong[np.argsort(by[wrong], kind="stable")][:WORST]
    return ClassEvaluation(run, data, chances, figures, matrix, calibration, report, worst)


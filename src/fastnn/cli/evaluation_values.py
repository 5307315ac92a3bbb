"""Figures of nets that predict labels, several of which may hold, or real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.evaluation_data import Examined
from fastnn.cli.evaluation_files import write_json, write_table
from fastnn.cli.records import LABEL_FROM
from fastnn.cli.run import Run
from fastnn.metrics import R2, MeanAbsoluteError, MeanSquaredError, class_report
from fastnn.picture import COLORS, INK, new_figure, plain, save

MOST_PANELS = 12  # targets that are drawn


@dataclass(frozen=True)
class ValueEvaluation:
    """A table of figures for each output. head: of its columns; rows: name, then figures.

    figures: of all outputs together.
    """

    run: Run
    data: Examined
    found: np.ndarray
    head: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    figures: dict[str, float]

    @property
    def result(self) -> dict[str, Any]:
        """All figures, for JSON."""
        key = "labels" if self.run.task == "multilabel" else "targets"
        return {"part": self.data.part, "examples": len(self.data.y), **self.figures,
                key: [dict(zip(self.head, row, strict=True)) for row in self.rows]}

    def write(self, folder: Path) -> list[str]:
        """Write JSON and CSV files into a folder; returns their names."""
        write_json(folder / "evaluation.json", self.result)
        name = "labels.csv" if self.run.task == "multilabel" else "targets.csv"
        write_table(folder / name, self.head, self.rows)
        return ["evaluation.json", name]

    def draw(self, folder: Path) -> list[str]:
        """Draw real numbers, predicted by actual; returns names of files. Raises ImportError."""
        if self.run.task == "multilabel":
            return []
        names = self.run.names[:MOST_PANELS]
        across = min(3, len(names))
        down = -(-len(names) // across)
        figure = new_figure(3.6 * across, 3.4 * down)
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes in panels[len(names):]:
            axes.axis("off")
        for place, (axes, name) in enumerate(zip(panels, names, strict=False)):
            plain(axes)
            actual, predicted = self.data.y[:, place], self.found[:, place]
            ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
            axes.plot(ends, ends, color=INK, linestyle="--", linewidth=1)
            axes.plot(actual, predicted, "o", color=COLORS[0], markersize=3, alpha=0.5)
            axes.set(xlabel=f"{name}, actual", ylabel=f"{name}, predicted",
                     title=f"R² {dict(zip(self.head, self.rows[place], strict=True))['r2']:.3f}")
        save(figure, str(folder / "predicted.png"))
        return ["predicted.png"]


def evaluate_labels(run: Run, data: Examined, chances: np.ndarray) -> ValueEvaluation:
    """chances: (n, labels), probabilities, of which those from 0.5 on say that a label holds."""
    said, actual = chances >= LABEL_FROM, data.y == 1
    rows: list[tuple[Any, ...]] = []
    for place, name in enumerate(run.names):
        counts = np.array([[np.sum((actual[:, place] == a) & (said[:, place] == b))
                            for b in (False, True)] for a in (False, True)])
        report = class_report(counts)
        holds = report.rows[1]
        rows.append((name, holds.precision, holds.recall, holds.f1, holds.support,
                     report.accuracy))
    least = np.finfo(np.float64).tiny
    loss = -np.mean(np.where(actual, np.log(np.maximum(chances, least)),
                             np.log(np.maximum(1 - chances, least))))
    figures = {"loss": float(loss), "binary_accuracy": float((said == actual).mean()),
               "exact": float((said == actual).all(axis=1).mean()),
               "macro_f1": float(np.mean([row[3] for row in rows]))}
    head = ("label", "precision", "recall", "f1", "support", "accuracy")
    return ValueEvaluation(run, data, chances, head, rows, figures)


def evaluate_values(run: Run, data: Examined, values: np.ndarray) -> ValueEvaluation:
    """values: (n, targets), in the units of the targets."""
    def figures(found: np.ndarray, actual: np.ndarray) -> tuple[float, ...]:
        made = MeanSquaredError(squared=False), MeanAbsoluteError(), R2()
        for metric in made:
            metric.update(found, actual)
        return tuple(float(metric.value() or 0.0) for metric in made)

    y = data.y.astype(np.float64)
    rows: list[tuple[Any, ...]] = [
        (name, *figures(values[:, [place]], y[:, [place]]))
        for place, name in enumerate(run.names)]
    names = ("rmse", "mae", "r2")
    return ValueEvaluation(run, data, values, ("target", *names), rows,
                           dict(zip(names, figures(values, y), strict=True)))

"""fastnn evaluate: how good a trained net is, class by class, and where it errs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastnn.cli.evaluation import ClassEvaluation, evaluate_classes
from fastnn.cli.evaluation_data import PARTS, examined
from fastnn.cli.evaluation_values import ValueEvaluation, evaluate_labels, evaluate_values
from fastnn.cli.run import Run, read_run
from fastnn.cli.run_folder import SETTINGS
from fastnn.cli.settings import Settings
from fastnn.cli.table import show
from fastnn.runtime.threads import set_num_threads

MATRIX = 20  # most classes whose confusion matrix is printed
LISTED = 10  # mistakes that are printed
MEASURES: dict[str, Any] = {"classification": evaluate_classes, "multilabel": evaluate_labels,
                            "regression": evaluate_values}
WORDS = {"margin": "mean margin", "ece": "expected calibration error", "brier": "Brier score",
         "mae": "mean absolute error",
         "rmse": "root mean squared error", "r2": "R²", "macro_f1": "macro F1",
         "binary_accuracy": "accuracy of labels", "exact": "all labels right"}


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", default=None, show_default=False,
              help="As of fastnn train. [default: what the run was trained with]")
@click.option("--part", type=click.Choice(PARTS), default="auto",
              help="Of the data. auto: of the run's own data what was held out to test, of others "
                   "all.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=None,
              show_default=False, help="Folder for figures (.json, .csv) and pictures (.png).")
@click.option("--batch-size", type=click.IntRange(1), default=64)
@click.option("--threads", type=click.IntRange(1), default=None, show_default=False,
              help="[default: all processors; the results are the same]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(
    run: Path, data: str | None, part: str, output: Path | None, batch_size: int,
    threads: int | None, as_json: bool,
) -> None:
    """Evaluate the net of a RUN folder on examples whose targets are known.

    Of classes: loss (cross-entropy), accuracy, precision, recall and F1 of each class, the
    confusion matrix, calibration (is it right as often as it says?) and the surest mistakes; of
    labels precision, recall and F1 of each; of real numbers errors and R². Classes of other data
    are matched by their names. A run whose model comes from a file runs the model.py in its folder.
    """
    if threads:
        set_num_threads(threads)
    trained, settings = read_run(run), Settings.read(run / SETTINGS)
    source = settings.data if data is None else data
    chosen = examined(source, trained, settings, part)
    predicted = np.concatenate([trained.predictions(chosen.x[start:start + batch_size])
                                for start in range(0, len(chosen.x), batch_size)])
    found = MEASURES[trained.task](trained, chosen, predicted)
    written = [] if output is None else _write(found, output)
    if as_json:
        click.echo(json.dumps(found.result))
        return
    click.echo(f"{source}, {chosen.part}: {len(chosen.y):,} examples")
    if isinstance(found, ClassEvaluation):
        _report(found, trained)
    else:
        show(found.head, [[cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row]
                          for row in found.rows], "lr")
    for name, value in found.figures.items():
        click.echo(f"{WORDS.get(name, name)}: {value:.4f}")
    for path in written:
        click.echo(f"written: {path}")


def _write(found: ClassEvaluation | ValueEvaluation, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = found.write(folder)
    try:
        drawn = found.draw(folder)
    except ImportError as error:
        click.echo(f"no pictures: {error}", err=True)
        drawn = []
    return [folder / name for name in (*written, *drawn)]


def _report(found: ClassEvaluation, run: Run) -> None:
    means = (found.report.macro, found.report.weighted)
    show(["class", "precision", "recall", "F1", "support"],
         [[row.name, f"{row.precision:.4f}", f"{row.recall:.4f}", f"{row.f1:.4f}",
           f"{row.support:g}"] for row in (*found.report.rows, *means)], "lr", "each class")
    if len(run.classes) <= MATRIX:
        show(["actual \\ predicted", *run.classes],
             [[name, *("" if value == 0 else value for value in row)]
              for name, row in zip(run.classes, found.matrix.value(), strict=True)], "lr",
             "confusion matrix")
    if len(found.mistakes):
        show(["example", "is", "predicted", "probability"],
             [[each["example"], each["actual"], each["predicted"], f"{each['probability']:.1%}"]
              for each in map(found.mistake, found.mistakes[:LISTED])], "lllr",
             "the surest mistakes")

"""fastnn predict: what a trained net says of pictures, arrays and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from fastnn.cli import records
from fastnn.cli.ending import PICTURES, Ending
from fastnn.cli.examples import batches
from fastnn.cli.records import Record
from fastnn.cli.run import Run, read_run
from fastnn.cli.table import show
from fastnn.runtime.threads import set_num_threads

SHOWN = 40  # lines of the table
DRAWN = 100  # pictures of the grid


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("files", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(1), default=5, help="Likeliest classes to name.")
@click.option("--output", type=Ending(*records.FORMATS), default=None, show_default=False,
              help="Write all predictions to a file .csv or .jsonl.")
@click.option("--grid", type=Ending(*PICTURES), default=None, show_default=False,
              help=f"Draw up to {DRAWN} pictures with what is predicted of them.")
@click.option("--resize/--no-resize", default=True,
              help="Whether pictures of another size are brought to the net's, or refused.")
@click.option("--batch-size", type=click.IntRange(1), default=64)
@click.option("--threads", type=click.IntRange(1), default=None, show_default=False,
              help="[default: all processors; the results are the same]")
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON in place of a table.")
def predict(
    run: Path, files: tuple[str, ...], top: int, output: Path | None, grid: Path | None,
    resize: bool, batch_size: int, threads: int | None, as_json: bool,
) -> None:
    """Predict with the net of a RUN folder what is in FILES.

    FILES: pictures, folders of them (at any depth), .npy and .npz files of examples, or tables
    (.csv), as the run was trained on. Pictures are brought to the net's size and colours as those
    in training were.
    A run whose model comes from a file runs the model.py in its folder.
    """
    if threads:
        set_num_threads(threads)
    trained = read_run(run)
    if grid is not None and len(trained.example_shape) != 3:
        raise ValueError(f"--grid draws pictures, the run's examples have shape "
                         f"{trained.example_shape}")
    found: list[Record] = []
    drawn: list[np.ndarray] = []
    for batch in batches(files, trained, batch_size, resize):
        made = trained.predictions(batch.x)
        found += [records.record(name, each, trained, top)
                  for name, each in zip(batch.names, made, strict=True)]
        if grid is not None:
            drawn += list(batch.x[:max(0, DRAWN - len(drawn))])
    if output is not None:
        records.write(output, found)
    if grid is not None:
        _draw(grid, np.stack(drawn), found)
    if as_json:
        click.echo(records.lines(found), nl=False)
    else:
        _report(found, trained, [path for path in (output, grid) if path is not None])


def _draw(path: Path, pictures: np.ndarray, found: Sequence[Record]) -> None:
    from fastnn.insight.picture_grid import picture_grid

    titles = [f"{records.title(each)}\n{Path(each['file']).name}"
              for each in found[:len(pictures)]]
    picture_grid(pictures, titles, str(path))


def _report(found: Sequence[Record], run: Run, written: Sequence[Path]) -> None:
    if run.task == "classification":
        head, sides = ["file", "class", "probability", "next"], "llrl"
        rows = [[each["file"], each["class"], f"{each['probability']:.1%}",
                 ", ".join(f"{other['class']} {other['probability']:.1%}"
                           for other in each["top"][1:])] for each in found[:SHOWN]]
    else:
        sides = "llr" if run.task == "multilabel" else "lr"
        head = ["file", *(["labels"] if run.task == "multilabel" else []), *run.names]
        rows = [[f"{cell:.4g}" if isinstance(cell, float) else cell
                 for cell in records.flat(each).values()] for each in found[:SHOWN]]
    show(head, rows, sides)
    if len(found) > SHOWN:
        click.echo(f"and {len(found) - SHOWN} more; --output FILE.csv writes all")
    for path in written:
        click.echo(f"written: {path}")

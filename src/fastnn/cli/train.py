"""fastnn train: from data to a trained, tested, saved model in a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fastnn.cli.job import Job, absolute_data, make_job
from fastnn.cli.model import absolute
from fastnn.cli.run_folder import (
    CHECKPOINT,
    CURVES,
    HISTORY,
    RESULT,
    SETTINGS,
    WEIGHTS,
    new_folder,
    old_folder,
)
from fastnn.cli.settings import LEARNING_RATES, Settings
from fastnn.data.registry import DATASETS
from fastnn.files.write import replacing
from fastnn.runtime.threads import get_num_threads, set_num_threads
from fastnn.training import CheckpointCallback, History, ProgressBar, WeightsCallback, save
from fastnn.training.curves import save_curves
from fastnn.training.interrupt import Terminated

WITH_RESUME = {"resume", "threads", "as_json"}  # options that do not change a run's results
share = click.FloatRange(0, 1, max_open=True)
positive = click.IntRange(1)


def _parts(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    if value.isdecimal() and int(value) >= 1:
        return int(value)
    if value != "auto":
        raise click.BadParameter(f"{value!r} is neither a number of parts nor 'auto'")
    return value


@click.command(context_settings={"show_default": True})
@click.option("--data", default="fashion-mnist-small",
              help=f"{', '.join(DATASETS)}; an .npz file; or a folder with .npy files, idx files, "
                   "or a folder of images for each class.")
@click.option("--model", default="cnn", help="A name, or file.py:factory.")
@click.option("--epochs", type=positive, default=20)
@click.option("--batch-size", type=positive, default=128)
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=None, show_default=False,
              help="Learning rate, the highest of the schedule. "
                   f"[default: {LEARNING_RATES['sgd']} for sgd, {LEARNING_RATES['adam']} for adam]")
@click.option("--optimizer", type=click.Choice(list(LEARNING_RATES)), default="sgd")
@click.option("--momentum", type=share, default=0.9, help="Nesterov momentum of sgd.")
@click.option("--weight-decay", type=click.FloatRange(0), default=5e-4)
@click.option("--label-smoothing", type=share, default=0.0)
@click.option("--schedule", type=click.Choice(["one-cycle", "cosine", "step", "none"]),
              default="one-cycle", help="How the learning rate changes.")
@click.option("--augment/--no-augment", default=True, help="Whether to shift and flip images.")
@click.option("--shift", type=click.IntRange(0), default=1, help="Most pixels to shift images by.")
@click.option("--flip/--no-flip", default=True, help="Whether to mirror half of the images.")
@click.option("--validation", type=share, default=0.05,
              help="Share of the training examples held out to be measured after each epoch.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0)
@click.option("--threads", type=positive, default=None, show_default=False,
              help="[default: all processors; the results are the same]")
@click.option("--memory-budget", default=None, show_default=False,
              help="Bytes the process may use, as 512MiB. [default: no limit]")
@click.option("--accumulate", metavar="[INTEGER|auto]", default="1", callback=_parts,
              help="Parts of each batch, whose gradients are added up; auto: the fewest that fit "
                   "the memory budget, where the whole batch does not.")
@click.option("--output", type=click.Path(file_okay=False), default=None, show_default=False,
              help="Folder of the run. [default: runs/<model>-<data>-<date>-<time>]")
@click.option("--checkpoint-seconds", type=click.FloatRange(0), default=10.0,
              help="How often to save a checkpoint within an epoch.")
@click.option("--checkpoint-batches", type=positive, default=None, show_default=False,
              help="Save a checkpoint every so many batches too.")
@click.option("--resume", type=click.Path(exists=True, file_okay=False), default=None,
              show_default=False, metavar="FOLDER",
              help="Go on with the run in a folder, to the same bits as without the stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def train(
    context: click.Context, /, threads: int | None, resume: str | None, as_json: bool,
    **options: Any,
) -> None:
    """Train a net, test it, and save it with its history in a new folder.

    Without options: the small cnn on a part of Fashion-MNIST that comes with fastnn, about a
    minute. A part of the training examples is held out to be measured after each epoch; the test
    examples are used once, at the end.
    """
    given = [name for name in context.params
             if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    extra = [f"--{name.replace('_', '-')}" for name in given if name not in WITH_RESUME]
    if resume and extra:
        raise click.UsageError(f"--resume takes its options from the run, not {', '.join(extra)}")
    if threads:
        set_num_threads(threads)
    stream = sys.stderr if as_json else sys.stdout
    settings = Settings.read(old_folder(resume) / SETTINGS) if resume else _settings(options)
    folder, job = _open(settings, resume, options["output"], stream)
    _introduce(settings, job, folder, stream)
    _fit(settings, job, folder)
    result = _finish(settings, job, folder)
    if as_json:
        click.echo(json.dumps(result))
    else:
        _report(result, folder)


def _settings(options: dict[str, Any]) -> Settings:
    values = {name: value for name, value in options.items() if name not in ("augment", "output")}
    if not options["augment"]:
        values |= {"shift": 0, "flip": False}
    if values["lr"] is None:
        values["lr"] = LEARNING_RATES[values["optimizer"]]
    values |= {"data": absolute_data(values["data"]), "model": absolute(values["model"])}
    return Settings(**values)


def _open(
    settings: Settings, resume: str | None, output: str | None, stream: Any
) -> tuple[Path, Job]:
    """The run's folder and job. A folder is made only when the data and the model are good."""
    callbacks: list[Any] = [ProgressBar(stream)]
    job = make_job(settings, callbacks)
    if resume:
        folder = Path(resume)
        job.trainer.resume(folder / CHECKPOINT)
    else:
        folder = new_folder(output, settings.model, settings.data)
        settings.write(folder / SETTINGS)
    job.trainer.callbacks += [
        History(folder / HISTORY), WeightsCallback(folder / WEIGHTS),
        CheckpointCallback(folder / CHECKPOINT, settings.checkpoint_seconds or None,
                           settings.checkpoint_batches)]
    return folder, job


def _introduce(settings: Settings, job: Job, folder: Path, stream: Any) -> None:
    parameters = sum(parameter.size for parameter in job.trainer.model.parameters())
    held_out = 0 if job.validation is None else len(job.validation.indices)
    lines = [f"model:  {settings.model}, {parameters:,} parameters",
             f"data:   {job.data.source}: {len(job.training.indices):,} examples to train on, "
             f"{held_out:,} for validation, "
             f"{0 if job.test is None else len(job.test.indices):,} to test",
             f"run:    {folder}, {get_num_threads()} thread(s)"]
    if job.data.skipped:
        lines.append(f"left out, cannot be read: {len(job.data.skipped)} files, "
                     f"the first is {job.data.skipped[0]}")
    if job.trainer.epoch or job.trainer.batch:
        lines.append(f"resume: after epoch {job.trainer.epoch}, batch {job.trainer.batch}")
    click.echo("\n".join(lines), file=stream)


def _fit(settings: Settings, job: Job, folder: Path) -> None:
    trainer = job.trainer
    left = settings.epochs if trainer.batch or trainer.epoch < settings.epochs else 0
    try:
        if left:
            trainer.fit(job.training, job.validation, settings.epochs)
    except (KeyboardInterrupt, Terminated) as interrupt:
        raise click.ClickException(
            f"stopped in epoch {trainer.epoch + 1} after batch {trainer.batch}, saved; "
            f"go on with: fastnn train --resume {folder}") from interrupt
    except (ArithmeticError, MemoryError) as error:
        if not trainer.steps:
            raise
        raise click.ClickException(
            f"{error}; the last checkpoint is {folder / CHECKPOINT}") from error


def _finish(settings: Settings, job: Job, folder: Path) -> dict[str, Any]:
    """Test, and write what a run leaves behind."""
    trainer = job.trainer
    save(folder / WEIGHTS, trainer.model)
    result: dict[str, Any] = {"run": str(folder), "epochs": trainer.epoch, **trainer.history[-1]}
    if job.test is not None:
        values = trainer.evaluate(job.test)
        result |= {f"test_{name}": value for name, value in values.items()}
    result["seconds"] = round(sum(record["seconds"] for record in trainer.history), 3)
    with replacing(folder / RESULT) as stream:
        stream.write(json.dumps(result, indent=2).encode() + b"\n")
    try:
        save_curves(folder / CURVES, trainer.history,
                    f"{Path(settings.model).name} on {Path(settings.data).name}",
                    result.get("test_accuracy"))
    except ImportError as error:
        click.echo(f"no {CURVES}: {error}", err=True)
    return result


def _report(result: dict[str, Any], folder: Path) -> None:
    click.echo(f"trained in {result['seconds']:.0f} s; weights, checkpoint, history and curves "
               f"are in {folder}")
    for part in ("test", "validation"):
        for name in ("accuracy", "loss"):
            if f"{part}_{name}" in result:
                click.echo(f"{part} {name}: {result[f'{part}_{name}']:.4f}")
                return

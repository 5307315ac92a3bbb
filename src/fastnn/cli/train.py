"""fastnn train: from data to a trained, tested, saved model in a run folder."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fastnn.cli import budget
from fastnn.cli.config import from_config, write_config
from fastnn.cli.job import Job, absolute_data, make_job
from fastnn.cli.loading import is_table
from fastnn.cli.model import absolute
from fastnn.cli.pretrained import make_pretrained_job
from fastnn.cli.run import model_in, write_run
from fastnn.cli.run_folder import (
    CHECKPOINT,
    CURVES,
    EVENTS,
    HISTORY,
    RESULT,
    SETTINGS,
    WEIGHTS,
    check_empty,
    check_run,
    locked,
    new_folder,
)
from fastnn.cli.settings import LEARNING_RATES, PRETRAINED_RATES, SCHEDULES, TASKS, Settings
from fastnn.cli.stopped import Stopped
from fastnn.data.registry import DATASETS
from fastnn.files.write import replacing, sweep
from fastnn.models.load import find_record
from fastnn.models.pretrained import PRETRAINED
from fastnn.runtime.threads import get_num_threads, set_num_threads
from fastnn.training import (
    Callback,
    CheckpointCallback,
    History,
    ProgressBar,
    TensorBoard,
    WeightsCallback,
    save,
)
from fastnn.training.curves import save_curves
from fastnn.training.interrupt import Terminated
from fastnn.training.tensorboard import writer_class

SURENESS = ["accuracy", "margin", "ece"]  # of the last figures of a classifier
OTHERS = {"loss": "loss", "margin": "margin", "ece": "calibration error"}
WITH_RESUME = {"resume", "epochs", "threads", "as_json"}  # options that a resumed run may have
NO_SETTINGS = ("augment", "config", "output")  # options that say where, or stand for others
share = click.FloatRange(0, 1, max_open=True)
positive = click.IntRange(1)


def _accumulate(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    if value.isdecimal() and int(value) >= 1:
        return int(value)
    if value != "auto":
        raise click.BadParameter(f"{value!r} is neither a number of micro-batches nor 'auto'")
    return value


@click.command(context_settings={"show_default": True})
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE.toml", default=None, show_default=False, is_eager=True,
              callback=from_config,
              help="Read options from a file, as the run.toml that each run writes: epochs = 30, "
                   "batch_size = 64. What is given here too goes before.")
@click.option("--data", default="fashion-mnist-small",
              help=f"{', '.join(DATASETS)}; an .npz file; a table (.csv); or a folder "
                   "with .npy files, idx files, or a folder of images for each class.")
@click.option("--model", default=None, show_default=False,
              help="A name, or file.py:factory. [default: cnn; mlp for tables]")
@click.option("--task", type=click.Choice(TASKS), default=None, show_default=False,
              help="What targets are. [default: by what they hold: class numbers and texts are "
                   "classes, columns of 0 and 1 labels, all else numbers]")
@click.option("--target", metavar="COLUMNS", default=None, show_default=False,
              help="Of a table: the column to predict, or several with commas.")
@click.option("--ignore", metavar="COLUMNS", default=None, show_default=False,
              help="Of a table: columns that are not to be used, with commas.")
@click.option("--pretrained", metavar="NAME", default=None, show_default=False,
              help=f"Start from weights that somebody has trained, {', '.join(PRETRAINED)}, not "
                   "from --model: a new head is trained on what the rest, frozen, makes of the "
                   "pictures, which are brought to the net's size.")
@click.option("--thaw", type=click.IntRange(0), metavar="N", default=0,
              help="With --pretrained: once there is a head, train the last N blocks too.")
@click.option("--epochs", type=positive, default=20, help="In all; --resume may name more.")
@click.option("--batch-size", type=positive, default=None, show_default=False,
              help="[default: 128; 32 with --pretrained]")
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=None, show_default=False,
              help="Learning rate, the highest of the schedule. "
                   f"[default: {LEARNING_RATES['sgd']} for sgd, {LEARNING_RATES['adam']} for adam; "
                   f"with --pretrained {PRETRAINED_RATES['head']}, or {PRETRAINED_RATES['thawed']} "
                   "with --thaw]")
@click.option("--optimizer", type=click.Choice(list(LEARNING_RATES)), default=None,
              show_default=False, help="[default: sgd; adamw with --pretrained and for tables]")
@click.option("--momentum", type=share, default=0.9, help="Nesterov momentum of sgd.")
@click.option("--weight-decay", type=click.FloatRange(0), default=5e-4)
@click.option("--label-smoothing", type=share, default=0.0)
@click.option("--schedule", type=click.Choice(SCHEDULES),
              default="one-cycle", help="How the learning rate changes.")
@click.option("--augment/--no-augment", default=True, help="Whether to shift and flip images.")
@click.option("--shift", type=click.IntRange(0), default=1, help="Most pixels to shift images by.")
@click.option("--flip/--no-flip", default=True, help="Whether to mirror half of the images.")
@click.option("--validation", type=share, default=0.05,
              help="Share of the training examples held out to be measured after each epoch.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0)
@click.option("--threads", type=positive, default=None, show_default=False,
              help="[default: all processors; the results are the same]")
@click.option("--memory-budget", default=None, show_default=False, callback=budget.checked,
              help="Bytes the process may use, as 512MiB. [default: no limit]")
@click.option("--accumulate", metavar="[INTEGER|auto]", default="1", callback=_accumulate,
              help="Micro-batches of each batch, whose gradients are added up; auto: the fewest "
                   "that fit the memory budget, if the whole batch does not.")
@click.option("--output", type=click.Path(file_okay=False), default=None, show_default=False,
              help="Folder of the run. [default: runs/<model>-<data>-<date>-<time>]")
@click.option("--checkpoint-seconds", type=click.FloatRange(0), default=10.0,
              help="How often to save a checkpoint within an epoch.")
@click.option("--checkpoint-batches", type=positive, default=None, show_default=False,
              help="Save a checkpoint every so many batches too.")
@click.option("--tensorboard/--no-tensorboard", default=False,
              help=f"Write event files, for tensorboard --logdir FOLDER/{EVENTS}.")
@click.option("--resume", type=click.Path(exists=True, file_okay=False), default=None,
              show_default=False, metavar="FOLDER",
              help="Go on with the run in a folder, to the same bits as without the stop; runs the "
                   "model.py in it, if there is one. With --epochs: to that many in all.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def train(
    context: click.Context, /, threads: int | None, resume: str | None, as_json: bool,
    **options: Any,
) -> None:
    """Train a net, test it, and save it with its history in a new folder.

    Without options: the small cnn on a part of Fashion-MNIST that comes with fastnn, about a
    minute. Part of the training examples is held out for validation after each epoch; the test
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
    with ExitStack() as until_the_end:
        if resume:
            epochs = options["epochs"] if "epochs" in given else None
            settings, folder, job = _go_on(Path(resume), epochs, stream, until_the_end)
        else:
            if options["pretrained"] and "model" in given:
                raise click.UsageError("--pretrained names the net: leave out --model")
            if options["thaw"] and not options["pretrained"]:
                raise click.UsageError("--thaw needs --pretrained")
            if options["pretrained"] and options["task"] not in (None, "classification"):
                raise click.UsageError("--pretrained is for classification")
            for name in ("target", "ignore"):
                if options[name] and not is_table(options["data"]):
                    raise click.UsageError(f"--{name} is for tables (.csv)")
            settings = _settings(options)
            folder, job = _begin(settings, options["output"], stream, until_the_end)
        _introduce(settings, job, folder, stream)
        _fit(settings, job, folder)
        try:
            result, drawn = _finish(settings, job, folder)
        except KeyboardInterrupt as interrupt:
            raise Stopped(f"stopped while the trained model was tested; go on with: "
                          f"fastnn train --resume {folder}") from interrupt
    if as_json:
        click.echo(json.dumps(result))
    else:
        _report(result, folder, drawn)


def _settings(options: dict[str, Any]) -> Settings:
    values = {name: value for name, value in options.items() if name not in NO_SETTINGS}
    if not options["augment"]:
        values |= {"shift": 0, "flip": False}
    rates = LEARNING_RATES
    if (name := values["pretrained"]) is not None:
        values["model"] = find_record(name).make.__name__
        rate = PRETRAINED_RATES["thawed" if values["thaw"] else "head"]
        rates = {kind: rate for kind in LEARNING_RATES}
    table = is_table(values["data"])
    defaults = {"optimizer": "adamw" if name or table else "sgd",
                "batch_size": 32 if name else 128, "model": "mlp" if table else "cnn"}
    values |= {key: value for key, value in defaults.items() if values[key] is None}
    if values["lr"] is None:
        values["lr"] = rates[values["optimizer"]]
    values |= {"data": absolute_data(values["data"]), "model": absolute(values["model"])}
    return Settings(**values)


def _begin(
    settings: Settings, output: str | None, stream: Any, until_the_end: ExitStack
) -> tuple[Path, Job]:
    """A new run's folder and job. The folder is made only once data and model are valid."""
    job = _make(settings, stream)
    folder = new_folder(output, settings.model, settings.data)
    until_the_end.enter_context(locked(folder))
    check_empty(folder)
    write_run(folder, settings, job)
    _write_settings(settings, folder)
    _save_on(job, settings, folder)
    return folder, job


def _write_settings(settings: Settings, folder: Path) -> None:
    settings.write(folder / SETTINGS)
    write_config(folder, settings, model_in(folder, settings.model))


def _make(settings: Settings, stream: Any, resumes: bool = False) -> Job:
    callbacks: list[Callback] = [ProgressBar(stream)]
    if settings.tensorboard:
        writer_class()  # an error before there is a folder
    if settings.pretrained is not None:
        return make_pretrained_job(settings, callbacks, resumes)
    return make_job(settings, callbacks)


def _go_on(
    folder: Path, epochs: int | None, stream: Any, until_the_end: ExitStack
) -> tuple[Settings, Path, Job]:
    """The settings, folder and job of a run that resumes; epochs: a new total, or None.

    A new number of epochs makes a new schedule, and the learning rate continues with what that
    gives at the current epoch.
    """
    check_run(folder)
    until_the_end.enter_context(locked(folder))
    sweep(folder)
    before = Settings.read(folder / SETTINGS)
    settings = before if epochs is None else replace(before, epochs=epochs)
    try:
        job = _make(replace(settings, model=model_in(folder, settings.model)), stream, True)
    except ValueError as error:
        raise ValueError(f"{folder / SETTINGS}: the run cannot go on: {error}") from error
    trainer = job.trainer
    trainer.resume(folder / CHECKPOINT)
    if epochs is not None and epochs <= trainer.epoch:
        raise ValueError(f"{folder}: {trainer.epoch} epochs are done, --epochs {epochs} adds none; "
                         f"name how many there are to be in all, {trainer.epoch + 1} or more")
    if settings != before:
        if trainer.schedule is not None:
            trainer.schedule.restart()
        trainer.save(folder / CHECKPOINT)  # at once, with the new rates
        _write_settings(settings, folder)
    _save_on(job, settings, folder)
    return settings, folder, job


def _save_on(job: Job, settings: Settings, folder: Path) -> None:
    job.trainer.callbacks += [
        History(folder / HISTORY), WeightsCallback(folder / WEIGHTS, model=job.model),
        CheckpointCallback(folder / CHECKPOINT, settings.checkpoint_seconds or None,
                           settings.checkpoint_batches)]
    if settings.tensorboard:
        job.trainer.callbacks.append(TensorBoard(folder / EVENTS, update_freq="batch"))


def _introduce(settings: Settings, job: Job, folder: Path, stream: Any) -> None:
    parameters = sum(parameter.size for parameter in job.model.parameters())
    held_out = 0 if job.validation is None else len(job.validation.indices)
    predicts = ", ".join(job.names or job.data.classes)
    lines = [f"model:  {settings.model}, {parameters:,} parameters",
             f"data:   {job.data.source}: {len(job.training.indices):,} examples to train on, "
             f"{held_out:,} for validation, "
             f"{0 if job.test is None else len(job.test.indices):,} to test",
             f"task:   {job.task}: {predicts if len(predicts) <= 80 else predicts[:77] + '...'}",
             f"run:    {folder}, {get_num_threads()} thread(s)"]
    if job.data.skipped:
        lines.append(f"left out, cannot be read: {len(job.data.skipped)} files, "
                     f"the first is {job.data.skipped[0]}")
    if job.trainer.epoch or job.trainer.batch:
        lines.append(f"resume: after epoch {job.trainer.epoch}, batch {job.trainer.batch}")
    click.echo("\n".join(lines), file=stream)


def _fit(settings: Settings, job: Job, folder: Path) -> None:
    trainer = job.trainer
    trainer.train_step.count_from_the_start()
    if job.test is not None:
        trainer.expect(job.test)
    again = f"go on with: fastnn train --resume {folder}"
    try:
        if trainer.batch or trainer.epoch < settings.epochs:
            trainer.fit(job.training, job.validation, settings.epochs - trainer.first_epoch)
    except KeyboardInterrupt as interrupt:
        saved = "saved" if str(interrupt) else f"after what {CHECKPOINT} has"  # a second Ctrl-C
        raise Stopped(f"stopped {trainer.place}, {saved}; {again}") from interrupt
    except Terminated as interrupt:
        raise click.ClickException(f"stopped {trainer.place}, saved; {again}") from interrupt
    except (ArithmeticError, MemoryError) as error:
        if not trainer.steps:
            raise
        raise click.ClickException(
            f"{error}; the last checkpoint is {folder / CHECKPOINT}") from error


def _finish(settings: Settings, job: Job, folder: Path) -> tuple[dict[str, Any], bool]:
    """Test, and write a run's results; returns (the result, whether there are curves)."""
    trainer = job.trainer
    save(folder / WEIGHTS, job.model)
    result: dict[str, Any] = {"run": str(folder), "epochs": trainer.epoch, **trainer.history[-1]}
    part, examples = ("test", job.test) if job.test is not None else ("validation", job.validation)
    if examples is not None:
        metrics = SURENESS if job.task == "classification" else None
        values = trainer.evaluate(examples, metrics=metrics)
        result |= {f"{part}_{name}": value for name, value in values.items()}
    result["seconds"] = round(sum(record["seconds"] for record in trainer.history), 3)
    with replacing(folder / RESULT) as stream:
        stream.write(json.dumps(result, indent=2).encode() + b"\n")
    try:
        save_curves(folder / CURVES, trainer.history,
                    f"{Path(settings.model).name} on {Path(settings.data).name}",
                    result.get("test_accuracy"))
    except ImportError as error:
        click.echo(f"no {CURVES}: {error}", err=True)
        return result, False
    return result, True


def _report(result: dict[str, Any], folder: Path, drawn: bool) -> None:
    files = "weights, checkpoint, history and curves" if drawn else \
        "weights, checkpoint and history"
    click.echo(f"trained in {result['seconds']:.0f} s; {files} are in {folder}")
    for part in ("test", "validation"):
        for name in ("accuracy", "binary_accuracy", "loss"):
            if f"{part}_{name}" in result:
                others = "".join(f", {words} {result[key]:.4f}" for other, words in OTHERS.items()
                                 if other != name and (key := f"{part}_{other}") in result)
                click.echo(f"{part} {name}: {result[f'{part}_{name}']:.4f}{others}")
                return

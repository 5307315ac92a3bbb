"""The examples that a run is evaluated on: a part of its own data, or others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.examples import fitting, numbers
from fastnn.cli.job import absolute_data, split
from fastnn.cli.loading import TEST_SHARE, is_table
from fastnn.cli.run import Run
from fastnn.cli.settings import Settings
from fastnn.data import Dataset
from fastnn.data import load as load_data
from fastnn.data.images import load_image_folder
from fastnn.data.registry import loader_of
from fastnn.data.table import read_csv

PARTS = ("auto", "test", "validation", "train", "all")


@dataclass(frozen=True)
class Examined:
    """x: (n, ...), y: targets, in the run's numbers. names: of the examples. part: where from."""

    x: np.ndarray
    y: np.ndarray
    names: Sequence[str]
    part: str


def examined(source: str, run: Run, settings: Settings, part: str) -> Examined:
    """Load what a part of data has.

    part: "test", or "train" and "validation" as the run's settings split them, or "all". "auto" is
    the test part of the run's own data (or validation, if there is none), and all of others.

    Raises ValueError for data that do not fit the run; OSError.
    """
    own = absolute_data(source) == settings.data
    if is_table(source):
        data = _table(source, run)
    else:
        data = _loaded(source, run, part == "all" or (part == "auto" and not own))
    if part == "auto":
        part = "all" if not own else "test" if data.test is not None else "validation"
    kept, held_out = split(data.train[1], settings.validation, settings.seed)
    every = {"train": (data.train, kept), "validation": (data.train, held_out),
             "test": (data.test, slice(None))}
    chosen = [(pair, indices, place) for name, (pair, indices) in every.items()
              for place in (int(name == "test"),) if pair is not None and part in (name, "all")]
    if not chosen or not sum(len(pair[1][indices]) for pair, indices, _ in chosen):
        raise ValueError(f"{data.source} has no examples for {part}: choose another --part "
                         f"({', '.join(PARTS[1:])})")
    x = np.concatenate([np.asarray(pair[0][indices]) for pair, indices, _ in chosen])
    y = np.concatenate([np.asarray(pair[1][indices]) for pair, indices, _ in chosen])
    names = [name for _, indices, place in chosen for name in _names(data, place, indices)]
    x = numbers(fitting(x, run, data.source), run, data.source)
    return Examined(x, _targets(y, data, run), names, part)


def _table(source: str, run: Run) -> Dataset:
    """A table split as in training, with targets in their own units."""
    if run.encoder is None or run.target is None:
        raise ValueError(f"{source}: a table, and the run was not trained on one")
    frame = read_csv(Path(source))
    x, y = run.encoder.transform(frame, source), run.target.raw(frame, source)
    kept, held_out = split(y, TEST_SHARE, 0)
    test = (x[held_out], y[held_out]) if len(held_out) else None
    return Dataset((x[kept], y[kept]), test, run.classes, source)


def _loaded(source: str, run: Run, whole: bool) -> Dataset:
    if loader_of(source) is not load_image_folder:
        return load_data(source)
    rule = run.pictures
    if rule is None:
        raise ValueError(f"{source}: a folder of pictures, and the run was not trained on pictures")
    return load_image_folder(source, rule.size, rule.mode, 0.0 if whole else 0.2,
                             central=rule.central)


def _names(data: Dataset, place: int, indices: Any) -> list[str]:
    """Files of pictures, or what a part holds at which place."""
    if data.files:
        return [str(name) for name in np.array(data.files[place], object)[indices]]
    part = ("train", "test")[place]
    split = data.train if place == 0 or data.test is None else data.test
    return [f"{part}[{i}]" for i in np.arange(len(split[1]))[indices]]


def _targets(y: np.ndarray, data: Dataset, run: Run) -> np.ndarray:
    """Targets in the run's numbers: classes are told apart by their names, where they have any."""
    if run.task == "regression" and data.classes:  # class numbers that were taken for numbers
        return y.astype(np.float32).reshape(len(y), -1)
    if run.task != "classification":
        if y.shape[1:] != (len(run.names),) or data.classes:
            raise ValueError(f"{data.source}: targets have shape {y.shape} of {y.dtype}, the run "
                             f"predicts {len(run.names)} real numbers")
        return y
    if not data.classes:
        raise ValueError(f"{data.source}: targets are real numbers, the run predicts classes")
    known = {name: number for number, name in enumerate(run.classes)}
    if data.classes == tuple(map(str, range(len(data.classes)))) and not known.keys() >= set(
            data.classes):
        names = run.classes[:len(data.classes)]  # numbers alone
    else:
        names = data.classes
    wrong = [name for name in names if name not in known] or data.classes[len(names):]
    if wrong:
        raise ValueError(f"{data.source}: the run has no class {wrong[0]!r}, only "
                         f"{', '.join(run.classes)[:200]}")
    numbered = np.array([known[name] for name in names], np.int64)
    return np.asarray(numbered[y])

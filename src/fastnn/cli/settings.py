"""The settings of a training run: saved in its folder and read when it resumes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from fastnn.files.read import read_json
from fastnn.files.write import replacing

LEARNING_RATES = {"sgd": 0.1, "adam": 0.002, "adamw": 0.002}
PRETRAINED_RATES = {"head": 0.005, "thawed": 0.0005}  # of adam and adamw
TASKS = ("classification", "multilabel", "regression")
SCHEDULES = ("one-cycle", "cosine", "step", "none")
MOST_BYTES = 1 << 20  # of a file of settings, which has less than a thousand
Rule = tuple[Callable[[Any], bool], str]


@dataclass(frozen=True)
class Settings:
    """The options of `fastnn train`, all filled in. Raises ValueError for invalid ones."""

    data: str
    model: str
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    momentum: float
    weight_decay: float
    label_smoothing: float
    schedule: str
    shift: int
    flip: bool
    validation: float
    seed: int
    memory_budget: str | None
    accumulate: int | Literal["auto"]
    checkpoint_seconds: float
    checkpoint_batches: int | None
    pretrained: str | None = None
    thaw: int = 0
    tensorboard: bool = False
    task: str | None = None
    target: str | None = None
    ignore: str | None = None

    def __post_init__(self) -> None:
        for name, (fits, words) in RULES.items():
            value = getattr(self, name)
            if not fits(value):
                raise ValueError(f"{name} is {repr(value)[:60]}, expected {words}")

    def write(self, path: Path) -> None:
        """Save as JSON."""
        with replacing(path) as stream:
            stream.write(json.dumps(asdict(self), indent=2).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read what `write` wrote. Raises ValueError that names the file; OSError."""
        values = read_json(path, MOST_BYTES)
        names = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(values, dict):
            raise ValueError(f"{path}: expected the settings of a run")
        for what, wrong in (("lacks", needed - set(values)), ("has unknown", set(values) - names)):
            if wrong:
                listed = ", ".join(sorted(wrong))[:100]
                raise ValueError(f"{path}: not the settings of a run, it {what} {listed}")
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _text() -> Rule:
    return (lambda value: isinstance(value, str) and 0 < len(value) < 10_000
            and "\0" not in value, "a text")


def _one_of(names: Any) -> Rule:
    return lambda value: isinstance(value, str) and value in names, f"one of {', '.join(names)}"


def _count(least: int, most: int = 2**53) -> Rule:
    return (lambda value: type(value) is int and least <= value < most,
            f"an integer from {least} on" if most == 2**53 else f"an integer from {least} to 2**64")


def _number(least: float, below: float = math.inf) -> Rule:
    return (lambda value: type(value) in (int, float) and least <= value < below,
            f"a number from {least:g}" + (" on" if below == math.inf else f" to below {below:g}"))


def _or_none(rule: Rule) -> Rule:
    fits, words = rule
    return lambda value: value is None or fits(value), f"{words}, or null"


RULES: dict[str, Rule] = {
    "data": _text(), "model": _text(), "epochs": _count(1), "batch_size": _count(1),
    "lr": (lambda value: _number(0)[0](value) and value > 0, "a number above 0"),
    "optimizer": _one_of(LEARNING_RATES),
    "momentum": _number(0, 1), "weight_decay": _number(0), "label_smoothing": _number(0, 1),
    "schedule": _one_of(SCHEDULES), "shift": _count(0),
    "flip": (lambda value: type(value) is bool, "true or false"), "validation": _number(0, 1),
    "seed": _count(0, 2**64), "memory_budget": _or_none(_text()),
    "accumulate": (lambda value: value == "auto" or _count(1)[0](value),
                   "an integer from 1 on, or 'auto'"),
    "checkpoint_seconds": _number(0), "checkpoint_batches": _or_none(_count(1)),
    "pretrained": _or_none(_text()), "thaw": _count(0),
    "task": _or_none(_one_of(TASKS)), "target": _or_none(_text()), "ignore": _or_none(_text()),
    "tensorboard": (lambda value: type(value) is bool, "true or false"),
}

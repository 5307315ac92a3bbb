"""Checks of the state of a Trainer and its optimizer in a checkpoint, before anything changes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.optim.scheduler import LRScheduler
from fastnn.training.metrics import Averages

COUNTS = ("epoch", "batch", "steps", "batches", "first_epoch")
MOST = 2**53  # of anything counted
LARGEST = float(np.finfo(np.float32).max)
FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy", "lr", "seconds")


def check_count(name: str, value: Any) -> None:
    """Raise ValueError unless a value is a count."""
    if type(value) is not int or not 0 <= value < MOST:
        raise ValueError(f"{name} is {_short(value)}, expected a count")


def check_number(name: str, value: Any, least: float = -math.inf) -> None:
    """Raise ValueError unless a value is a real number that float32 can hold, from `least` on."""
    if type(value) not in (int, float) or not abs(value) <= LARGEST:
        raise ValueError(f"{name} is {_short(value)}, expected a finite number")
    if value < least:
        raise ValueError(f"{name} is {_short(value)}, expected {least} or more")


def check_state(state: Mapping[str, Any]) -> None:
    """Raise ValueError unless a Trainer can resume from a state; KeyError for a missing part.

    A schedule checks its own part.
    """
    for name in COUNTS:
        check_count(name, state[name])
    if state["first_epoch"] > state["epoch"] or state["steps"] < state["batch"]:
        raise ValueError(", ".join(f"{name} {state[name]}" for name in COUNTS)
                         + " contradict each other")
    if type(state["unfinished"]) is not bool:
        raise ValueError(f"unfinished is {_short(state['unfinished'])}, expected true or false")
    check_number("seconds", state["seconds"], 0)
    if state["most_examples"] is not None:
        check_count("most_examples", state["most_examples"])
        if state["most_examples"] == 0:
            raise ValueError("most_examples is 0, expected 1 or more")
    _check_averages(state["averages"])
    _check_history(state["history"], state["epoch"])


def check_schedule(state: Any, schedule: LRScheduler) -> None:
    """Raise ValueError unless a schedule's state is of the right kinds; the rest is its own to say.
    """
    if not isinstance(state, dict):
        raise ValueError(f"schedule is {_short(state)}, expected its time and rates")
    if "last_epoch" in state:
        check_number("schedule.last_epoch", state["last_epoch"], 0)
    for name in {"base_lrs", "rates", "bases"} & set(state):
        if not isinstance(state[name], list):
            raise ValueError(f"schedule.{name} is {_short(state[name])}, expected a list")
        for rate in state[name]:
            check_number(f"schedule.{name}", rate)
    parts = state.get("schedulers", [])
    if not isinstance(parts, list):
        raise ValueError(f"schedule.schedulers is {_short(parts)}, expected a list")
    for part, own in zip(parts, schedule.schedulers, strict=False):
        check_schedule(part, own)


def check_parts(state: Mapping[str, Any], found: set[str], own: set[str]) -> None:
    """Raise ValueError if the sums of a metric are missing in the middle of an epoch.

    found, own: names of the parts of a checkpoint, and of a trainer. A warning tells of states that
    the trainer has no place for.
    """
    missing = {name for name in own - found if name.startswith("metrics.")}
    if state["batch"] and missing and "right" not in state["averages"]:
        raise ValueError(f"in the middle of an epoch it has no sums of {', '.join(sorted(missing))}"
                         ": resume with the metrics that it was saved with")
    unknown = {name for name in found - own if state["batch"] or name.startswith("callbacks.")}
    if unknown:
        warnings.warn(f"the checkpoint has states of {', '.join(sorted(unknown))}, which this "
                      "trainer does not have; they are left out", stacklevel=5)


def check_options(options: Any, own: Mapping[str, Any]) -> None:
    """Raise ValueError unless options of a parameter group have the names and kinds of its own."""
    names = set(own) - {"params"}
    if not isinstance(options, dict) or (set(options) ^ names) - {"initial_lr"}:
        raise ValueError(f"options {_short(options)}, expected {', '.join(sorted(names))}")
    for name, value in options.items():
        _check_kind(name, value, own.get(name, own["lr"]))


def _check_kind(name: str, value: Any, own: Any) -> None:
    if isinstance(own, (int, float)) and type(own) is not bool:
        check_number(name, value)
    elif isinstance(own, (tuple, list)) and isinstance(value, (tuple, list)):
        if len(value) != len(own):
            raise ValueError(f"{name} is {_short(value)}, expected {len(own)} values")
        for part, its in zip(value, own, strict=True):
            _check_kind(name, part, its)
    elif type(value) is not type(own):
        raise ValueError(f"{name} is {_short(value)}, expected the kind of {own!r}")


def _check_averages(sums: Any) -> None:
    own, earlier = Averages().sums(), {"right": 0, "counted": 0}  # of accuracy
    if not isinstance(sums, dict) or set(own) - set(sums) - {"weight"} or (
            set(sums) - set(own) - set(earlier)):
        raise ValueError(f"averages are {_short(sums)}, expected {', '.join(own)}")
    for name, value in sums.items():
        check = check_count if type((own | earlier)[name]) is int else check_number
        check(f"averages.{name}", value)
    check_number("averages.weight", sums.get("weight", 0.0), 0)


def _check_history(history: Any, epochs: int) -> None:
    """One record for each epoch; a callback may have added what it likes to them."""
    if not isinstance(history, list) or len(history) != epochs:
        raise ValueError(f"history is {_short(history)}, expected a list of {epochs} epochs")
    for number, record in enumerate(history, 1):
        if not isinstance(record, dict) or record.get("epoch") != number:
            raise ValueError(f"the history of epoch {number} is {_short(record)}")
        for name in FIGURES:
            if name in record:
                check_number(f"{name} of epoch {number}", record[name])


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."

"""Full checkpoints: everything that the rest of a training run depends on, in one safetensors file.

Arrays are named "model.<name>", "loss.<name>", "optimizer.<parameter>.<state>" (those of a second
optimizer "optimizer1.<parameter>.<state>") and, of callbacks and metrics, "parts.<part>.<place>";
everything else is JSON in the file's metadata. Floats survive JSON unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from fastnn.engine.inputs import NonFiniteError
from fastnn.files.errors import CheckpointError
from fastnn.files.read import parse_json
from fastnn.files.regular import Path
from fastnn.nn.module import Module
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.optim.scheduler import LRScheduler
from fastnn.runtime.random import get_rng_state, set_rng_state
from fastnn.training.files import ArrayFile, reading, write_arrays
from fastnn.training.parts import Stateful, pack, restored, unpack
from fastnn.training.state import check_options
from fastnn.training.weights import CHECKPOINT, copy, match, non_finite

VERSION = 3
OF_OPTIMIZER: dict[str, Any] = {"steps": (int, list), "groups": list}
READABLE = ("1", "2", "3")  # 1 has one step count for all parameters; 1 and 2 have no parts


def save_checkpoint(
    path: Path, modules: Mapping[str, Module], optimizers: Sequence[Optimizer],
    state: Mapping[str, Any], parts: Mapping[str, Stateful] = MappingProxyType({}),
) -> None:
    """Write modules, optimizers, random state and `state` (what JSON can hold), all or nothing.

    modules: by the prefix of their arrays' names: "model" and perhaps "loss". parts: callbacks and
    metrics, of which those with a state are saved.

    Raises OSError; NonFiniteError that names an array with NaN or infinity; TypeError or ValueError
    for a part's state that no checkpoint can hold. An old file stays.
    """
    arrays = {f"{prefix}.{name}": array for prefix, module in modules.items()
              for name, array in module.state_dict().items()}
    values = [optimizer.state_dict() for optimizer in optimizers]
    for number, its in enumerate(values):
        arrays |= {f"{_prefix(number)}{name}": array for name, array in _state_arrays(its).items()}
    packed = {name: pack(inner, f"parts.{name}", arrays) for name, part in parts.items()
              if (inner := part.state_dict())}
    name = non_finite(arrays)
    if name is not None:
        raise NonFiniteError(f"{name} has a value that is not finite; no checkpoint was written")
    first, *others = [{name: its[name] for name in ("steps", "groups")} for its in values]
    text = json.dumps({**first, "others": others, "random": get_rng_state(), "state": state,
                       "parts": packed})
    write_arrays(path, arrays, {"format": CHECKPOINT, "version": str(VERSION), "state": text})


def load_checkpoint(
    path: Path, modules: Mapping[str, Module], optimizers: Sequence[Optimizer],
    schedules: Sequence[LRScheduler], check: Callable[[dict[str, Any], set[str]], None],
    parts: Mapping[str, Stateful] = MappingProxyType({}),
) -> dict[str, Any]:
    """Restore a checkpoint; returns its `state`. Nothing changes unless all of it fits.

    check: raises an error for a `state`, and names of parts, that the caller cannot use; the
    state's "schedule", one or a list of them, is loaded here. parts: those that the checkpoint has
    take their states.

    Raises CheckpointError, which names the file and what is wrong in it; OSError.
    """
    with reading(path) as file:
        content = _content(file)
        state: dict[str, Any] = content["state"]
        targets: dict[str, np.ndarray] = {}
        for prefix, module in modules.items():
            targets |= match(file, module.state_dict(), f"{prefix}.")
        found = [content, *content["others"]]
        if len(found) != len(optimizers):
            raise file.fault(f"it is of {len(found)} optimizers, expected {len(optimizers)}")
        for number, optimizer in enumerate(optimizers):
            targets |= _optimizer_arrays(file, optimizer, _prefix(number))
        groups = [_groups(file, its, optimizer)
                  for its, optimizer in zip(found, optimizers, strict=True)]
        states = unpack(content["parts"], partial(_array, file))
        with _or_as_before(optimizers, schedules), ExitStack() as stack:
            try:
                check(state, set(states))
                stack.enter_context(restored(parts, states))
                for optimizer, its in zip(optimizers, groups, strict=True):
                    optimizer.take(its)
                rates = schedule_states(state.get("schedule"))
                for schedule, its in zip(schedules, rates, strict=True):
                    schedule.load_state_dict(its)
                for optimizer in optimizers:
                    for group in optimizer.param_groups:
                        optimizer.check(group)
                set_rng_state(content["random"])
            # A user's schedule or callback may raise anything.
            except Exception as error:
                raise file.fault(f"the checkpoint's state cannot be used: {_words(error)}") \
                    from error
            copy(file, targets)
    return state


def schedule_states(state: Any) -> list[Any]:
    """The states of schedules, from a checkpoint's "schedule": none, one, or a list."""
    return state if isinstance(state, list) else [] if state is None else [state]


def _prefix(number: int) -> str:
    """What the names of an optimizer's arrays begin with."""
    return f"optimizer{number or ''}."


def _state_arrays(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of an optimizer's state, by parameter and name."""
    return {f"{i}.{name}": array for i, entry in enumerate(state["state"])
            for name, array in entry.items()}


@contextmanager
def _or_as_before(
    optimizers: Sequence[Optimizer], schedules: Sequence[LRScheduler]
) -> Iterator[None]:
    """Inside, an error restores options, step counts, learning rates and random state."""
    own = [group for optimizer in optimizers for group in optimizer.param_groups]
    groups = [(dict(group), group.steps.copy()) for group in own]
    parts = [part for schedule in schedules for part in schedule.walk()]
    values = [{name: value.copy() if isinstance(value, list) else value
               for name, value in vars(part).items()} for part in parts]
    random = get_rng_state()
    try:
        yield
    except BaseException:
        for part, its in zip(parts, values, strict=True):
            vars(part).update(its)
        for group, (options, steps) in zip(own, groups, strict=True):
            group.clear()
            group.update(options)
            group.steps[:] = steps
        set_rng_state(random)
        raise


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _content(file: ArrayFile) -> dict[str, Any]:
    if file.metadata.get("format") != CHECKPOINT:
        raise file.fault("no checkpoint, it holds weights alone (fn.load reads those)")
    if file.metadata.get("version") not in READABLE:
        raise file.fault(f"a checkpoint of version {file.metadata.get('version')}, "
                         f"expected {' or '.join(READABLE)}")
    kinds: dict[str, Any] = {**OF_OPTIMIZER, "others": list, "random": dict, "state": dict,
                             "parts": dict}
    try:
        content = parse_json(file.metadata.get("state", "").encode())
    except ValueError as error:
        raise file.fault(f"the checkpoint's state cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise file.fault("the checkpoint's state is no JSON object")
    content.setdefault("parts", {})
    content.setdefault("others", [])
    wrong = [name for name, kind in kinds.items() if not isinstance(content.get(name), kind)]
    if not wrong:
        wrong = [f"others.{name}" for name, kind in OF_OPTIMIZER.items() for its in
                 content["others"] if not isinstance(its, dict) or
                 not isinstance(its.get(name), kind)]
    if wrong:
        raise file.fault(f"the checkpoint's {', '.join(wrong)} cannot be used")
    return content


def _array(file: ArrayFile, name: Any) -> np.ndarray:
    """An array of a part, by its name in the file."""
    if name not in file.names:
        raise file.fault(f"the checkpoint names an array {name!r:.60} that it does not have")
    try:
        return file.read(name)
    except KeyError as error:
        raise file.fault(f"{name} has dtype {error}, which no state has") from error


def _optimizer_arrays(
    file: ArrayFile, optimizer: Optimizer, prefix: str
) -> dict[str, np.ndarray]:
    """The optimizer's arrays by their names in the file, after checking that all fit."""
    try:
        return match(file, _state_arrays(optimizer.state_dict()), prefix)
    except CheckpointError as error:
        raise CheckpointError(str(error).replace("the model", "the optimizer")) from error


def _groups(file: ArrayFile, content: dict[str, Any], optimizer: Optimizer) -> list[Group]:
    """The options and steps of the parameter groups, checked against the optimizer's own."""
    try:
        for options, own in zip(content["groups"], optimizer.param_groups, strict=False):
            check_options(optimizer.completed(options) if isinstance(options, dict) else options,
                          own)
        return optimizer.fitting(content["groups"], content["steps"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise file.fault(f"the optimizer does not fit: {error}") from error

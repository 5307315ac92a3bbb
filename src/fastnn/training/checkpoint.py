"""A full checkpoint: all that the rest of a training run depends on, in one safetensors file.

Arrays are named "model.<name>", "loss.<name>" and "optimizer.<parameter>.<state>"; everything else
is JSON in the file's metadata. Floats survive JSON unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastnn.compiled import NonFiniteError
from fastnn.files.regular import Path
from fastnn.nn.module import Module
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.runtime.random import get_rng_state, set_rng_state
from fastnn.training.files import ArrayFile, CheckpointError, reading, write_arrays
from fastnn.training.weights import CHECKPOINT, copy, match, non_finite

VERSION = 1


def save_checkpoint(
    path: Path, modules: Mapping[str, Module], optimizer: Optimizer, state: Mapping[str, Any]
) -> None:
    """Write modules, optimizer, random state and `state` (what JSON can hold), all or nothing.

    modules: by the name that their arrays begin with; "model" and perhaps "loss".

    Raises OSError; NonFiniteError that names an array with NaN or infinity. An old file stays.
    """
    arrays = {f"{prefix}.{name}": array for prefix, module in modules.items()
              for name, array in module.state_dict().items()}
    values = optimizer.state_dict()
    arrays |= {f"optimizer.{i}.{name}": array for i, entry in enumerate(values["state"])
               for name, array in entry.items()}
    name = non_finite(arrays)
    if name is not None:
        raise NonFiniteError(f"{name} has a value that is not finite; no checkpoint was written")
    text = json.dumps({"steps": values["steps"], "groups": values["groups"],
                       "random": get_rng_state(), "state": state})
    write_arrays(path, arrays, {"format": CHECKPOINT, "version": str(VERSION), "state": text})


def load_checkpoint(
    path: Path, modules: Mapping[str, Module], optimizer: Optimizer,
    check: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Go on from a checkpoint; returns its `state`. Nothing changes unless all of it fits.

    check: raises an error for a `state` that the caller cannot use.

    Raises CheckpointError, which names the file and what is wrong in it; OSError.
    """
    with reading(path) as file:
        content = _content(file)
        targets: dict[str, np.ndarray] = {}
        for prefix, module in modules.items():
            targets |= match(file, module.state_dict(), f"{prefix}.")
        targets |= _optimizer_arrays(file, optimizer)
        groups = _groups(file, content["groups"], optimizer)
        try:
            check(content["state"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise file.fault(f"the checkpoint's state cannot be used: {error}") from error
        before = get_rng_state()
        try:
            set_rng_state(content["random"])
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            set_rng_state(before)
            raise file.fault(f"the random state cannot be used ({error})") from error
        copy(file, targets)
    for group, options in zip(optimizer.param_groups, groups, strict=True):
        group.update(options)
    optimizer.steps = content["steps"]
    state: dict[str, Any] = content["state"]
    return state


def _content(file: ArrayFile) -> dict[str, Any]:
    if file.metadata.get("format") != CHECKPOINT:
        raise file.fault("no checkpoint, it holds weights alone (fn.load reads those)")
    if file.metadata.get("version") != str(VERSION):
        raise file.fault(f"a checkpoint of version {file.metadata.get('version')}, "
                         f"expected {VERSION}")
    try:
        content = json.loads(file.metadata["state"])
        kinds = {"steps": int, "groups": list, "random": dict, "state": dict}
        wrong = [name for name, kind in kinds.items() if not isinstance(content[name], kind)]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise file.fault(f"the checkpoint's state cannot be read ({error!r})") from error
    if wrong:
        raise file.fault(f"the checkpoint's {', '.join(wrong)} cannot be used")
    result: dict[str, Any] = content
    return result


def _optimizer_arrays(file: ArrayFile, optimizer: Optimizer) -> dict[str, np.ndarray]:
    """The optimizer's arrays by their names in the file, once all fit."""
    own = {f"{i}.{name}": array for i, entry in enumerate(optimizer.state_dict()["state"])
           for name, array in entry.items()}
    try:
        return match(file, own, "optimizer.")
    except CheckpointError as error:
        raise CheckpointError(str(error).replace("the model", "the optimizer")) from error


def _groups(file: ArrayFile, groups: list[Any], optimizer: Optimizer) -> list[dict[str, Any]]:
    """The options of the parameter groups, once they fit the optimizer's own."""
    if len(groups) != len(optimizer.param_groups):
        raise file.fault(f"the optimizer has {len(groups)} parameter groups, "
                         f"expected {len(optimizer.param_groups)}")
    fitting = []
    for options, own in zip(groups, optimizer.param_groups, strict=True):
        try:
            if set(options) != set(own) - {"params"}:
                raise ValueError(f"options {sorted(options)}, expected "
                                 f"{sorted(set(own) - {'params'})}")
            values = {name: tuple(value) if isinstance(value, list) else value
                      for name, value in options.items()}
            candidate = Group({**values, "params": own["params"]})
            optimizer.check(candidate)
            np.array(optimizer.numbers(candidate), np.float64)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise file.fault(f"the optimizer does not fit: {error}") from error
        fitting.append(values)
    return fitting

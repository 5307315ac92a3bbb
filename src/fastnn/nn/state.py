"""Loading of a state_dict: all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnn.arguments import flag, instance
from fastnn.nn.misfit import differences, misfit
from fastnn.nn.parameter import Stored, Uninitialized
from fastnn.runtime.locks import process_lock
from fastnn.spec import ShapeError


class LoadedKeys(NamedTuple):
    """The names that were missing in a state, and those that the module does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (f"LoadedKeys(missing_keys={self.missing_keys}, "
                f"unexpected_keys={self.unexpected_keys})")


def load(own: Mapping[str, Stored], state: Mapping[str, Any], strict: bool, to: str) -> LoadedKeys:
    """Copy the values of a state into `own`, by name; `to` names the module in errors.

    Raises KeyError for missing or unexpected names when strict, ShapeError for a shape, both with
    all that does not fit and the nearest names; TypeError for values that are no numbers. Then
    nothing is changed.
    """
    instance(state, "the state", Mapping)
    arrays = {name: np.asarray(state[name]) for name in own if name in state}
    shapes = {name: None if isinstance(value, Uninitialized) else value.shape
              for name, value in own.items()}
    given = {name: arrays[name].shape if name in arrays else () for name in state}
    missing, unexpected = differences(shapes, given)
    named = flag(strict, "strict") and (missing or unexpected)
    if words := misfit(shapes, given, strict):
        text = f"state_dict does not fit {to}: {words}"
        raise KeyError(text) if named else ShapeError(text)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: expected numbers, got dtype {array.dtype}")
    with process_lock:
        for name, array in arrays.items():
            value = own[name]
            if isinstance(value, Uninitialized):  # of a lazy layer: the state knows its shape
                value.materialize(array.shape)
            value.data = array
    return LoadedKeys(missing, unexpected)

"""States of callbacks and metrics in a checkpoint: JSON, with the arrays beside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from fastnn.training.files import TYPES

ARRAY = "__array__"  # in JSON: the name of an array in the file


class Stateful(Protocol):
    """What has a state of numbers, texts and arrays, in dicts and lists; a new one's may be {}."""

    def state_dict(self) -> dict[str, Any]:
        """The state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state of `state_dict`, or raise an error and change nothing."""
        ...


def named_apart(parts: list[Any]) -> dict[str, Any]:
    """Objects by the names of their classes; a second one of a class is "Name 2".

    >>> list(named_apart([1, "a", 2]))
    ['int', 'str', 'int 2']
    """
    found: dict[str, Any] = {}
    for part in parts:
        kind = type(part).__qualname__
        names = (kind if number == 1 else f"{kind} {number}" for number in range(1, 2**31))
        found[next(name for name in names if name not in found)] = part
    return found


def pack(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A state as JSON can hold it; its arrays are added to `arrays`, named after their place.

    Raises TypeError or ValueError for what a checkpoint cannot hold.

    >>> arrays = {}
    >>> pack({"best": 0.5, "weights": [np.zeros(2)]}, "part", arrays), list(arrays)
    ({'best': 0.5, 'weights': [{'__array__': 'part.weights.0'}]}, ['part.weights.0'])
    """
    if isinstance(value, np.ndarray):
        if value.dtype.name not in TYPES:
            raise TypeError(f"{name} has dtype {value.dtype}, a checkpoint holds "
                            f"{', '.join(TYPES)}")
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{name} has keys that are no texts, which a checkpoint cannot hold")
        return {key: pack(inner, f"{name}.{key}", arrays) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(inner, f"{name}.{i}", arrays) for i, inner in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, which a checkpoint cannot hold")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{name} is of class {type(value).__name__}, a checkpoint holds numbers, "
                    "texts, arrays, and dicts and lists of them")


def unpack(value: Any, read: Callable[[str], np.ndarray]) -> Any:
    """The state that `pack` has packed; `read` gives an array by its name."""
    if isinstance(value, dict):
        if set(value) == {ARRAY}:
            return read(value[ARRAY])
        return {key: unpack(inner, read) for key, inner in value.items()}
    return [unpack(inner, read) for inner in value] if isinstance(value, list) else value


@contextmanager
def restored(parts: Mapping[str, Stateful], states: Mapping[str, Any]) -> Iterator[None]:
    """Inside, parts have the states of their names; after an error they are as before."""
    chosen = {name: part for name, part in parts.items() if name in states}
    before = {name: copy.deepcopy(part.state_dict()) for name, part in chosen.items()}
    try:
        for name, part in chosen.items():
            part.load_state_dict(states[name])
        yield
    except BaseException:
        for name, part in chosen.items():
            part.load_state_dict(before[name])
        raise

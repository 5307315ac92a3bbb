"""Snapshots of Python values: numbers and strings by their paths, to compare later.

The work is bounded: MOST values of any nesting, and as many numbers of an array.
"""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

MOST = 1000
DEPTH = 6
_FOREIGN = tuple(f"{folder}{os.sep}" for folder in (
    Path(__file__).parents[1], *(sysconfig.get_paths()[name] for name in ("stdlib", "platlib"))))
_PLAIN_OBJECTS = (types.SimpleNamespace, argparse.Namespace)

Values = dict[str, Any]


@lru_cache(maxsize=4096)
def of_user(file: str) -> bool:
    """Whether a source file is the user's, not fastnn's or a library's."""
    if file.startswith("<frozen") or "site-packages" in file or "dist-packages" in file:
        return False
    return not file.startswith(_FOREIGN)


def is_users(kind: type) -> bool:
    """Whether a class is the user's own."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ == "__main__" if file is None else of_user(file)


def values_of(value: Any, names: frozenset[str]) -> Values:
    """{path: number, string, None, or digest of an array} of a value and what it contains.

    names: of objects only these attributes count, of dicts these keys if there are any.

    >>> values_of({"a": [1, 2.5], "b": {"c": "x"}}, frozenset())
    {"['a'][0]": 1, "['a'][1]": 2.5, "['b']['c']": 'x'}
    """
    found: Values = {}
    waiting = deque([(value, "", 0)])
    for _ in range(MOST):
        if not waiting:
            break
        value, path, depth = waiting.popleft()
        atom = _atom(value)
        if atom is not None:
            found[path] = atom[0]
        elif depth < DEPTH:
            parts = [(part, path + step, depth + 1) for step, part in _parts(value, names)]
            waiting.extendleft(reversed(parts))
    return found


def _atom(value: Any) -> tuple[Any] | None:
    """A value without parts, in a form that compares by its bits; None for others."""
    if value is None or type(value) in (bool, int, str, bytes):
        return (value,)
    if isinstance(value, (float, np.floating)):
        return (float(value),)
    if isinstance(value, (int, np.integer, np.bool_)):
        return (int(value),)
    if isinstance(value, complex):
        return (complex(value),)
    if isinstance(value, np.ndarray):
        return (_digest(value),) if value.dtype.kind in "biufc" else None
    return None


def _digest(array: np.ndarray) -> tuple[Any, ...]:
    """Shape, type and up to MOST numbers of an array."""
    sample = array.flat[::max(1, array.size // MOST)]
    return array.shape, array.dtype.str, np.asarray(sample).tobytes()


def _parts(value: Any, names: frozenset[str]) -> Iterable[tuple[str, Any]]:
    """(how it is reached, value) of the items of a container or of a user's plain object."""
    if isinstance(value, dict):
        texts = names.intersection(key for key in islice(value, MOST) if isinstance(key, str))
        return ((f"[{key!r}]", part) for key, part in islice(value.items(), MOST)
                if not texts or key in texts)
    if isinstance(value, (list, tuple, deque)):
        return ((f"[{i}]", part) for i, part in enumerate(islice(value, MOST)))
    if isinstance(value, (set, frozenset)):
        return [(" (sorted)", tuple(sorted(map(repr, islice(value, MOST)))))]
    if hasattr(type(value), "__tensor__") or hasattr(type(value), "forward"):
        return ()
    return _attributes(value, names)


def _attributes(value: Any, names: frozenset[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, types.ModuleType):
        known = of_user(getattr(value, "__file__", None) or "<frozen")
    elif isinstance(value, type):
        known = is_users(value)
    else:
        known = isinstance(value, _PLAIN_OBJECTS) or (
            is_users(type(value)) and not callable(value))  # `Reads` follows what is called
    if not known:
        return ()
    held = getattr(value, "__dict__", {})
    slots = [name for kind in type(value).__mro__ for name in kind.__dict__.get("__slots__", ())]
    return [(f".{name}", held[name] if name in held else getattr(value, name))
            for name in sorted(names) if name in held or name in slots]


def first_difference(old: Values, new: Values) -> tuple[str, str, str] | None:
    """(path, old, new), as text, of the first value that changed; None if none did.

    >>> first_difference({"": 0.3}, {"": 0.5})
    ('', '0.3', '0.5')
    """
    for path in [*old, *(path for path in new if path not in old)]:
        if path not in old or path not in new or not _same(old[path], new[path]):
            return path, _words(old, path, "an array of other numbers"), _words(new, path, "this")
    return None


def _same(old: Any, new: Any) -> bool:
    return bool(old == new or (old != old and new != new))  # NaN equals NaN here


def _words(values: Values, path: str, array: str) -> str:
    if path not in values:
        return "not there"
    return array if isinstance(values[path], tuple) else f"{values[path]!r:.60}"

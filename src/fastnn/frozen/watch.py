"""Warn once if a Python value that a plan has frozen changes.

A plan keeps the numbers that Python code read while it was traced. A `Watch` records the plain
attributes, closure variables and globals that the traced code names, and compares them at reuses 1,
2, 4, 8, ... of the plan. It may miss some (read by a computed name, or changed back). It ignores
what `forward` itself changes while it is traced.
"""

from __future__ import annotations

import pickle
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from fastnn.frozen.reads import Reads, Root
from fastnn.frozen.values import Values, first_difference, of_user, values_of

WAY = ("make it an input, or an fn.Variable, whose .value may be set between steps "
       "(docs/tracing.md)")
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
_collecting: ContextVar[Watch | None] = ContextVar("watch", default=None)
_said: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()  # names of each owner


class Watch:
    """What was read from Python while the graphs of one plan were traced."""

    def __init__(self) -> None:
        self.noted: list[tuple[Root, frozenset[str], Values]] = []
        self._uses = 0

    def used(self) -> None:
        """Count a reuse of the plan, and compare at each power of two."""
        self._uses += 1
        if not self._uses & (self._uses - 1):
            self._compare()

    def _compare(self) -> None:
        found = []
        for i, (root, names, before) in enumerate(self.noted):
            with suppress(Exception):  # values may be of any type, whose code may raise anything
                now = values_of(root.read(), names)
                change = first_difference(before, now)
                if change is not None and _is_news(root.owner, root.name, change[0]):
                    found.append((root, change))
                    self.noted[i] = root, names, now
        for root, (path, old, new) in found:
            _warn(f"{root.describe(path)} was {old} when it was traced and is {new} now; the plan "
                  f"goes on with what it was: {WAY}")


def _is_news(owner: Any, name: str, path: str = "") -> bool:
    """Whether no warning named a variable, or the value at a path in it; marks it as named."""
    said = _said.setdefault(owner, set())
    if name in said or name + path in said:
        return False
    said.add(name + path)
    return True


def _warn(text: str) -> None:
    """Warn, pointing at the line of the user's code that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and not of_user(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


@contextmanager
def collecting() -> Iterator[Watch]:
    """Inside, traces record what they read in this Watch."""
    watch = Watch()
    token = _collecting.set(watch)
    try:
        yield watch
    finally:
        _collecting.reset(token)


@contextmanager
def watched(function: Any) -> Iterator[None]:
    """Record what the trace of a module or function reads, and whether it draws random numbers."""
    roots, names = list[Root](), frozenset[str]()
    with suppress(Exception):
        reads = Reads(function)
        roots, names = reads.roots, frozenset(reads.names)
    before = [_now(root, names) for root in roots]
    states = _random_states(roots)
    yield
    watch = _collecting.get()
    for root, old in zip(roots, before, strict=True):
        new = _now(root, names)
        with suppress(Exception):
            if old is None or new is None or first_difference(old, new) is not None:
                _is_news(root.owner, root.name)  # changed by the forward itself
            elif watch is not None and new:
                watch.noted.append((root, names, new))
    if _random_states(roots) != states and (
            "random" in names or any(_draws(root) for root in roots)):
        _tell_of_random(function)


def _now(root: Root, names: frozenset[str]) -> Values | None:
    with suppress(Exception):
        return values_of(root.read(), names)
    return None


def _draws(root: Root) -> bool:
    """Whether a variable is a random generator, with which another thread may have drawn."""
    with suppress(Exception):
        value = root.read()
        return isinstance(value, _GENERATORS) or isinstance(
            getattr(value, "__self__", None), _GENERATORS) or (
            getattr(value, "__name__", "") in ("random", "numpy.random"))
    return False


def _random_states(roots: list[Root]) -> list[Any]:
    """The states of `random`, `np.random`, and of the generators that the code names."""
    states: list[Any] = [random.getstate()]
    with suppress(Exception):
        states.append(pickle.dumps(np.random.get_state(legacy=False)))
    for root in roots:
        with suppress(Exception):
            value = root.read()
            if isinstance(value, _GENERATORS):
                states.append(pickle.dumps(value))
    return states


def _tell_of_random(function: Any) -> None:
    function = getattr(function, "__wrapped__", function)
    with suppress(TypeError):  # types without weak references
        if not _is_news(function, "random numbers"):
            return
    name = getattr(function, "__qualname__", type(function).__name__)
    _warn(f"random numbers were drawn while {name} was traced, by random, np.random or a generator "
          "of theirs; the plan goes on with these: draw before the call and give them as an input "
          "(or use fn.dropout)")

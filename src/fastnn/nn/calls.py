"""Calls of modules while a forward is traced: who watches them, and the hooks that wait for values.

module.py imports this file, so a module is Any here.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import ref

from fastnn.nn.parameter import structure_changed


class Observer:
    """Told of each call of a module while a forward is traced."""

    def entered(self, module: Any, inputs: tuple[Any, ...]) -> None:
        """A module is called with symbolic tensors."""

    def left(self, module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """It has returned its output."""


_observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())
_numbers = itertools.count()
_ever = False


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Inside, an observer is told of calls of modules."""
    token = _observers.set((*_observers.get(), observer))
    try:
        yield
    finally:
        _observers.reset(token)


def observed(module: Any, inputs: tuple[Any, ...]) -> None:
    """A module is called with symbolic tensors."""
    observers = _observers.get()
    if module.hooks and not observers:
        warnings.warn(f"the hooks of a {type(module).__name__} are not called here: hooks get "
                      "arrays, when a model is called on arrays; a training step calls none",
                      stacklevel=4)
    for observer in observers:
        observer.entered(module, inputs)


def left(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
    """A module returns the output, which is passed on."""
    for observer in _observers.get():
        observer.left(module, inputs, output)
    return output


class Handle:
    """A registered hook; `remove()` ends it. As a context it is removed at the end."""

    def __init__(self, module: Any) -> None:
        self.id = next(_numbers)
        self._module = ref(module)

    def set(self, hooks: Mapping[int, tuple[Callable[..., Any], bool]]) -> None:
        """Give the module these hooks. Plans are made anew, since they read other values."""
        global _ever
        _ever = True
        module = self._module()
        if module is not None:
            object.__setattr__(module, "hooks", dict(hooks))
            structure_changed()

    def remove(self) -> None:
        """Call the hook no more; a second call does nothing."""
        module = self._module()
        if module is not None and self.id in module.hooks:
            self.set({number: hook for number, hook in module.hooks.items() if number != self.id})

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def has_hooks(module: Any) -> bool:
    """Whether a module or one inside of it has a hook."""
    return _ever and any(inner.hooks for inner in module.modules())

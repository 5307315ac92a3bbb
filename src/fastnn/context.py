"""The context of tracing: where nodes come from, and where state updates are collected.

graph.py imports this module, so Node is Any here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, ContextDecorator, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

from fastnn.arguments import flag


@dataclass(frozen=True)
class Origin:
    """Where a node comes from, and what the user chose for the memory of its values.

    path: of its layer. region: the call of a checkpointed module that it belongs to. pin: "keep"
    or "drop", for this node only. constant: no gradient passes it; see `no_grad`.
    """

    path: str = ""
    region: int | None = None
    pin: Literal["keep", "drop"] | None = None
    constant: bool = False


_regions = itertools.count()
_updates: ContextVar[list[Any] | None] = ContextVar("updates", default=None)
_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 (frozen)


def origin() -> Origin:
    """The origin of nodes that are made now."""
    return _origin.get()


@contextmanager
def _from(place: Origin) -> Iterator[None]:
    token = _origin.set(place)
    try:
        yield
    finally:
        _origin.reset(token)


def scope(path: str) -> AbstractContextManager[None]:
    """Nodes made inside carry the layer path `path`."""
    return _from(replace(origin(), path=path))


def region() -> AbstractContextManager[None]:
    """Nodes made inside belong to a new region, or to the region already open."""
    now = origin()
    return _from(now if now.region is not None else replace(now, region=next(_regions)))


def current_scope() -> str:
    """The layer path of the module whose forward is being traced."""
    return origin().path


@contextmanager
def updates() -> Iterator[list[Any]]:
    """Collect the nodes that change state (running statistics) while a module is traced."""
    nodes: list[Any] = []
    token = _updates.set(nodes)
    try:
        yield nodes
    finally:
        _updates.reset(token)


@contextmanager
def untraced() -> Iterator[None]:
    """Inside, nothing is being traced: parameters may be made and written, as in __init__."""
    token = _updates.set(None)
    try:
        yield
    finally:
        _updates.reset(token)


def collected() -> list[Any] | None:
    """The list that `updates` collects into; None outside of it."""
    return _updates.get()


def tracing() -> bool:
    """Whether a forward is being traced, so that values are symbolic."""
    return collected() is not None


class set_grad_enabled(ContextDecorator):
    """Inside, gradients pass what is computed, or they do not, as torch.set_grad_enabled.

    As a context or around a function, inside of a forward or a loss.
    """

    def __init__(self, mode: bool) -> None:
        self._constant = not flag(mode, "mode")
        self._open: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        context = _from(replace(origin(), constant=self._constant))
        self._open.append(context)
        context.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._open.pop().__exit__(*error)

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(not self._constant)


class no_grad(set_grad_enabled):
    """Inside, what a forward or a loss computes is a constant: no gradient passes it.

    As torch.no_grad: a context, or around a function. It does to what is computed inside what
    `detach` does to one tensor. Outside of a forward it changes nothing: calls on arrays record no
    gradients, so code from PyTorch may keep it.

    >>> import numpy as np, fastnn as fn
    >>> teacher, student = fn.nn.Linear(2, 1), fn.nn.Linear(2, 1)
    >>> def loss(output, x):
    ...     with no_grad():
    ...         target = teacher(x)
    ...     return fn.mse_loss(output, target)
    >>> x = np.ones((3, 2), np.float32)
    >>> value, grads = fn.value_and_grad(student, loss)(x, x)
    >>> sorted(grads)
    ['bias', 'weight']
    """

    def __new__(cls, function: Any = None) -> Any:
        """A context; or, as a decorator without brackets, the function inside of one."""
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Inside of `no_grad`, gradients pass again, as torch.enable_grad."""

    def __init__(self) -> None:
        super().__init__(True)

"""The context of tracing: where nodes come from, and where state updates are collected.

graph.py imports this module, so Node is Any here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Origin:
    """Where a node comes from, and what the user chose for the memory of its values.

    path: of its layer. region: the call of a checkpointed module that it belongs to. pin: "keep"
    or "drop", for this node only.
    """

    path: str = ""
    region: int | None = None
    pin: Literal["keep", "drop"] | None = None


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


def collected() -> list[Any] | None:
    """The list that `updates` collects into; None outside of it."""
    return _updates.get()


def tracing() -> bool:
    """Whether a forward is being traced, so that values are symbolic."""
    return collected() is not None

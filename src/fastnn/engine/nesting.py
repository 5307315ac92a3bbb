"""Nested tuples of arrays, specs or tensors: what modules take and return."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def flat(value: Any) -> list[Any]:
    """The items of nested tuples and lists, in order."""
    if isinstance(value, (tuple, list)):
        return [item for inner in value for item in flat(inner)]
    return [value]


def like(value: Any, items: Sequence[Any]) -> Any:
    """`items` in the nesting of `value`; lists become tuples, named tuples keep their names."""
    return _next_like(value, iter(items))


def _next_like(value: Any, rest: Iterator[Any]) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple_like(value, (_next_like(inner, rest) for inner in value))
    return next(rest)


def tuple_like(value: Any, items: Iterable[Any]) -> tuple[Any, ...]:
    """`items` as a tuple, or as the named tuple that `value` is."""
    named = isinstance(value, tuple) and hasattr(value, "_fields")
    return type(value)(*items) if named else tuple(items)

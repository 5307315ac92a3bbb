"""Nested tuples and dicts of arrays, specs or tensors: what modules take and return.

The values of a dict count in the order of their names, however it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class Named(dict[str, Any]):
    """A dict of specs by name, which is a key of plans: nobody writes to it.

    >>> hash(Named(a=1, b=2)) == hash(Named(b=2, a=1))
    True
    """

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def flat(value: Any) -> list[Any]:
    """The items of nested tuples, lists and dicts, in order."""
    if isinstance(value, (tuple, list)):
        return [item for inner in value for item in flat(inner)]
    if isinstance(value, dict):
        return [item for name in sorted(value) for item in flat(value[name])]
    return [value]


def like(value: Any, items: Sequence[Any]) -> Any:
    """`items` in the nesting of `value`; lists become tuples, named tuples keep their names."""
    return _next_like(value, iter(items))


def _next_like(value: Any, rest: Iterator[Any]) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple_like(value, (_next_like(inner, rest) for inner in value))
    if isinstance(value, dict):
        found = {name: _next_like(value[name], rest) for name in sorted(value)}
        return (Named if isinstance(value, Named) else dict)((name, found[name]) for name in value)
    return next(rest)


def tuple_like(value: Any, items: Iterable[Any]) -> tuple[Any, ...]:
    """`items` as a tuple, or as the named tuple that `value` is."""
    named = isinstance(value, tuple) and hasattr(value, "_fields")
    return type(value)(*items) if named else tuple(items)

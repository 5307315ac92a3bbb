"""Part of a batch with the bits of the whole: the size by which operations choose their ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_batch: ContextVar[tuple[int, int]] = ContextVar("batch", default=(1, 1))


@contextmanager
def as_part_of(whole: int, part: int) -> Iterator[None]:
    """Inside, a batch of `part` examples is computed as one of `whole` would be: the same bits."""
    token = _batch.set((whole, part))
    try:
        yield
    finally:
        _batch.reset(token)


def in_whole(rows: int) -> int:
    """How many rows (or images) the whole batch has where this part of it has so many."""
    whole, part = _batch.get()
    return rows * whole // part

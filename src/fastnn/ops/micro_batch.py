"""Micro-batches with the bits of the whole batch: its size decides how operations compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_batch: ContextVar[tuple[int, int]] = ContextVar("batch", default=(1, 1))


@contextmanager
def as_micro_batch_of(whole: int, examples: int) -> Iterator[None]:
    """Inside, a batch of `examples` is computed like part of one of `whole`, with the same bits."""
    token = _batch.set((whole, examples))
    try:
        yield
    finally:
        _batch.reset(token)


def whole_batch_rows(rows: int) -> int:
    """The rows (or images) of the whole batch, from those of the micro-batch."""
    whole, examples = _batch.get()
    return rows * whole // examples

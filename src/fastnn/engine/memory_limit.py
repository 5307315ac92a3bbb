"""The memory budget that holds while models are called on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fastnn.plan.budget import Allowance, Budget, resolve

_limit: ContextVar[Allowance | None] = ContextVar("memory_limit", default=None)


def memory_limit() -> Allowance | None:
    """What the process may hold while models are called on arrays; see `within`."""
    return _limit.get()


@contextmanager
def within(memory_budget: Budget | Allowance) -> Iterator[None]:
    """Inside, calling a model on arrays keeps the process within a budget, or raises.

    memory_budget: bytes, text like "512MiB", an allowance, or None. Raises MemoryBudgetError when a
    model is called that needs more, before it runs.
    """
    allowed = memory_budget
    if allowed is not None and not isinstance(allowed, Allowance):
        allowed = Allowance(resolve(allowed))
    token = _limit.set(allowed)
    try:
        yield
    finally:
        _limit.reset(token)

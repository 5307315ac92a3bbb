"""The memory budget that holds while models are called on arrays, and all that hold by now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol
from weakref import WeakValueDictionary

from fastnn.plan.budget import SPARE, Allowance, Budget, resolve
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.shared import free_arena


class Limit(Protocol):
    """A budget that holds for the process as long as this lives, in whichever thread."""

    def leaves(self, more: int) -> bool:
        """Whether the process may take so many bytes more now."""


_limits: WeakValueDictionary[int, Limit] = WeakValueDictionary()
_limit: ContextVar[Allowance | None] = ContextVar("memory_limit", default=None)


def memory_limit() -> Allowance | None:
    """What the process may hold while models are called on arrays; see `within`."""
    return _limit.get()


def hold(limit: Limit) -> None:
    """Let a limit hold from now on, until it is deleted."""
    _limits[id(limit)] = limit


def may_take(more: int) -> bool:
    """Whether the process may take so many bytes more now, by all limits of all threads."""
    return all(limit.leaves(more) for known in _limits.valuerefs()
               if (limit := known()) is not None)


def leaves(limit: int, others: int, more: int) -> bool:
    """Whether the process stays within a limit once others and more have come, and the arena's
    largest user has run."""
    coming = free_arena().untouched_bytes + others
    return resident_bytes() + coming + more + SPARE <= limit


class _Inside:
    """The limit of a `within`."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def leaves(self, more: int) -> bool:
        return leaves(self._allowance.limit, self._allowance.others or 0, more)


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
    inside = None if allowed is None else _Inside(allowed)
    if inside is not None:
        hold(inside)
    try:
        yield
    finally:
        _limit.reset(token)
        del inside  # an error may keep this frame

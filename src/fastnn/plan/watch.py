"""A budget during training: limits may change, and other processes may take memory."""

from __future__ import annotations

import time

from fastnn.plan.budget import Budget, resolve
from fastnn.runtime.process_memory import resident_bytes

SECONDS = 1.0  # between two checks of the process and its cgroup while the arena is in memory


class BudgetWatch:
    """A memory budget, and whether the process still keeps to it.

    budget: bytes, text like "512MiB", "auto", or None. Raises ValueError or TypeError for others.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.limit = None if budget is None else resolve(budget)
        self._looked = time.monotonic()

    def is_broken(self, coming: int, at_once: bool = False) -> bool:
        """Whether the process exceeds its budget; if so, `limit` is updated.

        coming: bytes of a released arena that the next step will touch. at_once: check now, as
        before memory is taken. A limit does not fall below what is in memory, so that a check now
        and then is enough meanwhile; what was given back may be forbidden by now.

        "auto" is resolved at each check, but `limit` only changes when the budget is exceeded:
        plans should not follow every change of free memory as long as they fit.
        """
        if self.budget is None:
            return False
        if not at_once and time.monotonic() - self._looked < SECONDS:
            return False
        self._looked = time.monotonic()
        limit = resolve(self.budget)
        if resident_bytes() + coming <= limit:
            return False
        self.limit = limit
        return True

"""A budget while training goes on: limits may move, and others may take memory."""

from __future__ import annotations

import time

from fastnn.plan.budget import Budget, resolve
from fastnn.runtime.process_memory import resident_bytes

SECONDS = 1.0  # between two looks at the process and its cgroup


class BudgetWatch:
    """A memory budget, and whether a plan that was made for it still keeps to it.

    budget: bytes, text like "512MiB", "auto", or None. Raises ValueError or TypeError for others.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.limit = None if budget is None else resolve(budget)
        self._looked = time.monotonic()

    def is_broken(self, coming: int) -> bool:
        """Whether the process holds more than it may; then `limit` is what it may hold now.

        coming: bytes that the next step touches, of an arena that was given back.

        "auto" is asked anew, but only counts here: free memory comes and goes, and plans should
        not change with it as long as they fit.
        """
        if self.budget is None or time.monotonic() - self._looked < SECONDS:
            return False
        self._looked = time.monotonic()
        limit = resolve(self.budget)
        if resident_bytes() + coming <= limit:
            return False
        self.limit = limit
        return True

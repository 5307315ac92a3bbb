"""Which instance of a value each step of a schedule reads, and how long each instance lives.

All in whole arrays: local search asks for it thousands of times, on schedules of thousands of
steps.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from fastnn.plan.problem import Problem, Schedule
from fastnn.plan.tables import LEAF, Ints, Tables


class Lives:
    """The instances that a schedule makes, in order: their values, steps and readers."""

    def __init__(self, problem: Problem, schedule: Schedule) -> None:
        self.tables: Tables = problem.tables
        self.order = np.array(schedule, np.int64)
        self.steps = self.order.size
        self.rows = np.where(self.first_runs, self.order, self.order + self.tables.tasks)
        self.made, self.place, self.value = self.tables.outputs.gather(self.rows)
        # Instances by value and then by step; a read finds the last one made before it.
        self._keys = self.value * (self.steps + 1) + self.made
        self._sorted = np.argsort(self._keys, kind="stable")
        self._keys = self._keys[self._sorted]
        self.read_at, _, values = self.tables.inputs.gather(self.rows)
        self.read = self.find(values, self.read_at)

    def find(self, values: Ints, steps: Ints) -> Ints:
        """The instance of each value that a step reads."""
        found: Ints = self._sorted[
            np.searchsorted(self._keys, values * (self.steps + 1) + steps) - 1]
        return found

    @cached_property
    def last_read(self) -> Ints:
        """The last step that reads each instance, or the one that makes it."""
        last: Ints = self.made.copy()
        np.maximum.at(last, self.read, self.read_at)
        return last

    @cached_property
    def base(self) -> Ints:
        """The instance in whose memory each one lies: itself, unless a view; LEAF for a leaf's."""
        base: Ints = np.arange(self.value.size)
        seen = self.tables.view[self.rows[self.made]]
        base[seen == LEAF] = LEAF
        views = np.flatnonzero(seen >= 0)
        source = self.find(seen[views], self.made[views])
        while True:  # views of views
            further = base[source]
            if (base[views] == further).all():
                return base
            base[views] = further

    @cached_property
    def first_runs(self) -> np.ndarray:
        """For each step, whether its task runs for the first time."""
        first = np.full(self.tables.tasks, self.steps)
        np.minimum.at(first, self.order, np.arange(self.steps))
        result: np.ndarray = first[self.order] == np.arange(self.steps)
        return result

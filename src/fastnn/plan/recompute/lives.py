"""Which instance of a value each step of a schedule reads, how long each lives, bytes in use.

Bytes follow the rules of `memory.layout`: a view shares its source's memory, an operation may write
over an input that nobody reads later, large buffers take the slack that staggers them. Offsets are
not chosen here; what packing adds shows when the plan is laid out.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from fastnn.plan.recompute.problem import Problem, Schedule
from fastnn.plan.recompute.tables import Ints


class Lives:
    """The instances that a schedule makes, in order: their values, steps and readers.

    made, value, last_read: of each instance, the step that makes it, its value, and the last step
    that reads it (or makes it). read_at, read: step and instance of each reading, in order. used:
    bytes in use at each step. first_runs: whether a step's task runs for the first time.
    """

    def __init__(self, problem: Problem, schedule: Schedule | Ints) -> None:
        self.problem, self.steps = problem, len(schedule)
        self.order: Ints = np.asarray(schedule, np.int64)
        (self.first_runs, self.made, self.value, self.last_read, self.read_at, self.read,
         self.used) = problem.tables.flow.follow(self.order)

    @cached_property
    def schedule(self) -> Schedule:
        """The tasks of all steps."""
        return tuple(self.order.tolist())

    @property
    def peak(self) -> int:
        """The largest number of bytes in use at once."""
        return int(self.used.max(initial=0))

    @property
    def seconds(self) -> float:
        """Time of all tasks of the schedule."""
        return self.problem.seconds(self.order)

    def pruned(self) -> Lives:
        """Those of the schedule without second runs whose values nobody reads."""
        useful = self.problem.tables.flow.useful(
            self.order, self.made, self.read_at, self.read, self.first_runs)
        if useful.all():
            return self
        return Lives(self.problem, self.order[useful])

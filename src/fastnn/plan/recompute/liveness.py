"""Liveness analysis of a schedule: who reads which instance, how long it lives, bytes in use.

Bytes follow the rules of `memory.layout`: a view shares its source's memory, an operation may
overwrite an input that is not read later, and large buffers take the slack that staggers them. No
offsets are chosen here; what packing adds is known once the plan is laid out.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from fastnn.plan.recompute.problem import Problem, Schedule
from fastnn.plan.recompute.tables import Ints


class Liveness:
    """The instances of values that a schedule computes, in order.

    made, value, last_read: of each instance, the step that computes it, its value, and the last
    step that reads (or computes) it. read_at, read: step and instance of each read, in order.
    used: bytes in use at each step. first_runs: whether a step's task runs for the first time.
    """

    def __init__(self, problem: Problem, schedule: Schedule | Ints) -> None:
        self.problem, self.steps = problem, len(schedule)
        self.order: Ints = np.asarray(schedule, np.int64)
        (self.first_runs, self.made, self.value, self.last_read, self.read_at, self.read,
         self.used) = problem.tables.flow.follow(self.order)

    @cached_property
    def schedule(self) -> Schedule:
        """The task of each step."""
        return tuple(self.order.tolist())

    @property
    def peak(self) -> int:
        """The largest number of bytes in use at once."""
        return int(self.used.max(initial=0))

    @property
    def seconds(self) -> float:
        """Time of the schedule."""
        return self.problem.seconds(self.order)

    def pruned(self) -> Liveness:
        """The analysis of the schedule without recomputations that have no reader."""
        useful = self.problem.tables.flow.useful(
            self.order, self.made, self.read_at, self.read, self.first_runs)
        if useful.all():
            return self
        return Liveness(self.problem, self.order[useful])

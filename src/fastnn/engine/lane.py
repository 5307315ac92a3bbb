"""A lane: all that one run of a plan writes, so that runs in several lanes go side by side."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any
from weakref import ref

import numpy as np

from fastnn._kernels.inputs import Inputs
from fastnn._kernels.turns import runs
from fastnn.graph import Tensor
from fastnn.runtime.executor import Executor
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import Arena


class Lane:
    """A program of a plan with its arena and inputs, for one run at a time.

    expected: the properties of arrays that can be read in place. outputs: what a run returns.
    """

    def __init__(self, executor: Executor, expected: Any, outputs: Sequence[Tensor]) -> None:
        self.executor, self._outputs = executor, outputs
        self._owner = ref(executor)
        self.user, self.since = 0, 0.0  # a thread, and when it began to use this lane
        self.ended, self.is_reserved = 0.0, False  # the last run; whether its thread will be back
        self.result_bytes = sum(tensor.bytes for tensor in outputs)
        # take(values): bind the arrays in place if they match; else return False.
        self.take = Inputs(executor.program, expected).take

    @property
    def arena(self) -> Arena:
        """The memory that a run uses."""
        return self.executor.arena

    def run(self, values: tuple[Any, ...], touched: bool = False) -> list[np.ndarray] | None:
        """The outputs for values; the caller's `process_lock` is released as the kernels begin.

        None, with nothing done and the lock held, unless values match, and nobody uses the arena.
        touched: whether to make the outputs resident before, so that others count them.
        """
        executor, arena = self.executor, self.executor.arena
        memory = executor.memory(None)  # before the views: `runs` finds out if it moves now
        views = executor.views(self._outputs)
        if touched:
            results = [np.full(view.shape, 0, view.dtype) for view in views]
        else:
            results = [np.empty(view.shape, view.dtype) for view in views]
        used = arena.touched if arena.is_owner(executor) else arena.bytes_after(executor)
        done = runs.run(executor.program, self.take, values, executor.input_slots, arena, memory,
                        self._owner, used, process_lock.release, views, results,
                        not self.is_reserved)
        self.ended = perf_counter()
        return results if done else None

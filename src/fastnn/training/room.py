"""The part of a memory budget that training reserves for everything beside its steps.

While a step's arena is in memory, the next batch is drawn, and callbacks run after each batch; with
`ahead`, a thread draws batches meanwhile. The needs of our own sources are known. Those of other
code are measured in the first batches, without the arena. Epochs begin and end without the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any, Protocol

import numpy as np

from fastnn.data.prefetch import Ahead
from fastnn.engine.memory_limit import memory_limit
from fastnn.engine.nesting import flat
from fastnn.plan.budget import Allowance, Budget, MemoryBudgetError, resolve
from fastnn.runtime.measure import growth
from fastnn.runtime.process_memory import keep_no_large_blocks
from fastnn.runtime.shared import free_memory
from fastnn.spec import FLOAT, INDEX
from fastnn.training.measures import Measures
from fastnn.training.streams import Batch, Source

MEASURED = 3  # batches in which unknown needs are measured
MARGIN = 1 << 20  # added to what was measured, with an eighth of it


class Step(Protocol):
    """What batches, metrics and callbacks make room for: a training step, as a rule."""

    @property
    def allowance(self) -> Allowance | None:
        """What the process may hold; None for no limit."""
        ...

    def rest(self) -> None:
        """Give back the memory that it uses only while it runs."""
        ...


class NoStep:
    """No training step, where a model only computes: room is what a budget leaves.

    memory_budget: bytes, text such as "512MiB", or None for the one that holds already, if any.
    """

    def __init__(self, memory_budget: Budget) -> None:
        self.allowance = memory_limit() if memory_budget is None else Allowance(
            resolve(memory_budget))

    def rest(self) -> None:
        if self.allowance is not None:
            free_memory()


class Need:
    """The bytes that some code takes which runs once for each batch.

    known: its bytes; None: the most that is measured in the first batches.
    """

    def __init__(self, known: int | None) -> None:
        self.bytes = known or 0
        self._left = MEASURED if known is None else 0

    def is_known(self, step: Step) -> bool:
        """Whether nothing is left to measure."""
        return not self._left or step.allowance is None

    @contextmanager
    def measured(self, step: Step) -> Iterator[None]:
        """A context for running it once, without the step's arena while it is measured."""
        if self.is_known(step):
            yield
            return
        step.rest()
        keep_no_large_blocks()
        self._left -= 1
        with growth() as taken:
            yield
        self.bytes = max(self.bytes, taken.bytes * 9 // 8 + MARGIN)


class Room:
    """Room for a source's batches, metrics and callbacks, beside the steps of an epoch."""

    def __init__(
        self, step: Step, source: Source, callbacks: Iterable[Any] = (),
        measures: Measures | None = None, by_class: bool = False,
    ) -> None:
        self._by_class = by_class
        self._step = step
        self._drawing = Need(getattr(source, "working_bytes", None))
        self._beginning, self._calling = (
            Need(0 if all(_is_our_own(each, event) for each in callbacks) else None)
            for event in ("on_batch_begin", "on_batch_end"))
        self._measuring = Need(0 if measures is None or measures.are_simple else None)
        self._reading = 0
        self.ahead = int(getattr(source, "ahead", 0))
        self._holds_batches = hasattr(source, "working_bytes")  # in memory that counts already
        self._largest = 0  # bytes of a batch
        self.is_planned = self.is_checked = False

    def draws(self, batches: Iterator[Batch]) -> Draws:
        """The batches; a batch is released here before the next one is drawn."""
        return Draws(batches, self)

    @property
    def is_measured(self) -> bool:
        """Whether it is known what drawing takes, so that a thread may do it."""
        return self._drawing.is_known(self._step)

    def draw(self, batches: Iterator[Batch]) -> Batch:
        """The next batch."""
        with self._drawing.measured(self._step):
            batch = next(batches)
        self._reading = max(self._reading, reading_bytes(batch, self._by_class))
        self._largest = max(self._largest, sum(np.asarray(part).nbytes for part in flat(batch)))
        return batch

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """A context for calling callbacks before a batch."""
        with self._beginning.measured(self._step):
            yield

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A context for calling callbacks after a batch."""
        with self._calling.measured(self._step):
            yield

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """A context for updating metrics after a batch."""
        with self._measuring.measured(self._step):
            yield

    @property
    def others(self) -> int:
        """Bytes to reserve beside a step: the larger need (they do not coincide) and copies.

        What a thread draws coincides with the others.
        """
        needs = self._beginning, self._calling, self._measuring
        between = max(need.bytes for need in needs)
        if not self.ahead:
            return max(between, self._drawing.bytes) + self._reading
        ahead = 0 if self._holds_batches else self.ahead * self._largest
        return between + self._drawing.bytes + ahead + self._reading

    @property
    def allowance(self) -> Allowance | None:
        """What the process may hold while the batches are computed; None for no limit."""
        allowance = self._step.allowance
        return None if allowance is None else replace(allowance, others=self.others)


class Draws:
    """An iterator that forgets each batch that it gives: a generator would hold it.

    A thread draws ahead, if the room says so, once it is known what that takes.
    """

    def __init__(self, batches: Iterator[Batch], room: Room) -> None:
        self._batches, self._room = batches, room

    def __iter__(self) -> Draws:
        return self

    def __next__(self) -> Batch:
        room = self._room
        if room.ahead and room.is_measured and not isinstance(self._batches, Ahead):
            self._batches = Ahead(self._batches, room.ahead)
        return room.draw(self._batches)

    def close(self) -> None:
        """End the thread."""
        if isinstance(self._batches, Ahead):
            self._batches.close()


def make_all(plans: Iterable[Callable[[], object]]) -> None:
    """Make plans; if some do not fit, raise the MemoryBudgetError that names the largest budget."""
    refusals = []
    for make in plans:
        try:
            make()
        except MemoryBudgetError as refusal:
            refusal.__traceback__ = refusal.__context__ = None  # they hold what planning made
            refusals.append(refusal)
    if refusals:
        raise max(refusals, key=lambda refusal: refusal.min_bytes)


def reading_bytes(batch: Batch, by_class: bool = False) -> int:
    """Bytes of copies of a batch that a step and metrics make, with weights and without.

    by_class: whether every target has a weight.
    """
    batch, weights = batch[:2], flat(batch[2:])
    arrays = [np.asarray(part) for part in flat(batch)]
    copies = sum(_bytes(array) for array in arrays
                 if array.dtype not in (FLOAT, INDEX) or not array.flags.c_contiguous)
    if len(batch) == 1:  # no target
        return copies
    weighing = 8 * sum(_bytes(np.asarray(part)) for part in weights)
    return copies + (10 if by_class else 2) * _bytes(arrays[-1]) + weighing


def _bytes(array: np.ndarray) -> int:
    """Bytes of an array once a step can read it: float32, or int64."""
    return prod(array.shape) * (FLOAT if array.dtype.kind == "f" else INDEX).itemsize


def _is_our_own(callback: Any, event: str) -> bool:
    """Whether what a callback does at an event is our own code, whose needs are known."""
    module = getattr(getattr(callback, event), "__module__", "")
    return bool(module.partition(".")[0] == __name__.partition(".")[0])

"""A compiled graph: its plan, the program that runs it, and its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from fastnn._kernels.checks import index_range
from fastnn._kernels.inputs import Input
from fastnn.engine.kept_values import KeptValues
from fastnn.engine.lane import Lane
from fastnn.engine.loss_value import LossValue
from fastnn.engine.nesting import flat
from fastnn.frozen.watch import Watch
from fastnn.graph import Graph, Node, Tensor
from fastnn.nn.parameter import values_change
from fastnn.ops.sum_of_squares import SumOfSquares
from fastnn.plan.budget import SPARE, Allowance
from fastnn.plan.build import build
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.kept import Split, split
from fastnn.plan.plan import Plan
from fastnn.runtime.executor import Executor
from fastnn.runtime.process_memory import give_back, resident_bytes
from fastnn.runtime.random import KEY, next_step, random_key
from fastnn.runtime.shared import Arena, free_arena, free_memory, keepers
from fastnn.runtime.threads import get_num_threads
from fastnn.spec import FLOAT

Found = TypeVar("Found")


def _nothing(compiled: Compiled) -> None:
    """Read no outputs."""


def _refuse(values: tuple[Any, ...]) -> bool:
    """Bind no arrays."""
    return False


def named_from(first: int, names: Iterable[str]) -> dict[str, int]:
    """Names of graph outputs that follow each other, and their positions."""
    return {name: first + place for place, name in enumerate(names)}


class Compiled:
    """A plan with its program and memory.

    specs: of the inputs, nested like the arrays, for `take`. nesting: of the outputs. arena: memory
    shared with other plans, or None for its own. may_keep: whether values that depend on parameters
    alone may be kept between calls, in so many bytes more. named: the graph's outputs that are
    named parts of a loss, by their positions. The caller holds `process_lock` from
    taking the inputs until reading the outputs.
    """

    def __init__(
        self, graph: Graph, allowance: Allowance | None = None, specs: Any = (),
        nesting: Any = None, arena: Arena | None = None,
        may_keep: Callable[[int], bool] | None = None, named: Mapping[str, int] | None = None,
    ) -> None:
        self.graph, self.nesting, self.watch, self.parts = graph, nesting, Watch(), named or {}
        fused, self._freed = fuse(graph), False
        self.kept, parts = None, split(fused) if may_keep is not None else None
        if parts is not None and may_keep is not None and may_keep(parts.new_bytes):
            fused, self.kept = parts.graph, self._keep(parts, arena)
        if allowance is not None and arena is not None:
            free_memory(keep_values=may_keep is not None)  # planning takes memory too
        old_arena = 0 if arena is None else arena.resident_bytes
        self.plan: Plan = build(fused, get_num_threads(), allowance, old_arena)
        self.executor = self._new_executor(arena)
        self._changes_state = self.executor.split < self.executor.count
        self._draws = self.executor.reads(random_key())
        if self._draws:
            self._key = self.executor.own_copy(random_key())
        self.class_checks = [
            (number, found) for node in graph.nodes
            if (found := node.op.class_numbers(node)) is not None
            and (number := found.input_number()) is not None]
        self._first = (0, 0)
        if graph.outputs:
            self._first = self.executor.locate(self.plan.graph.outputs[0])
        self._checks = [self.executor.locate(tensor) for tensor in self.plan.graph.outputs
                        if isinstance(tensor.node.op, SumOfSquares)]
        self._arrays = self._expected(specs, iter(range(len(graph.inputs))))
        self.lane = self._lane(self.executor)
        self.may_run_beside = self.executor.may_run_beside and not self._draws
        if self.kept is not None:
            keepers.add(self)

    def _keep(self, parts: Split, arena: Arena | None) -> KeptValues:
        for kept in parts.kept:
            kept.allocate()
        self._values = Compiled(parts.values, arena=arena)
        return KeptValues(parts, partial(self._values.compute, _nothing))

    def free_kept(self) -> None:
        """Free the kept values, unless this runs now; then it cannot run any more."""
        if self.kept is None or self.is_running:
            return
        self._freed, self.may_run_beside = True, False
        self.lane.take = _refuse
        for executor in (self.executor, self._values.executor):
            executor.release("kept")
        self.kept.free()

    def _new_executor(self, arena: Arena | None) -> Executor:
        calls, split = self.plan.calls()
        places = {new: self.plan.place(new) for new in self.plan.graph.outputs}
        return Executor(calls, split, self.plan.layout.arena_bytes, places,
                        self.plan.graph.inputs, self.plan.threads, arena)

    def _lane(self, executor: Executor) -> Lane:
        outputs = self.plan.graph.outputs[:len(flat(self.nesting))]
        return Lane(executor, self._arrays, outputs)

    def new_lane(self, arena: Arena) -> Lane:
        """Another program of this plan, in another arena."""
        return self._lane(self._new_executor(arena))

    def _expected(self, spec: Any, numbers: Iterator[int]) -> Any:
        """The properties of arrays that can be read in place as inputs of these specs."""
        if isinstance(spec, tuple):
            return tuple(self._expected(inner, numbers) for inner in spec)
        if isinstance(spec, dict):
            return {name: self._expected(spec[name], numbers) for name in sorted(spec)}
        number = next(numbers)
        limits = [(found.least, found.classes, found.ignored)
                  for source, found in self.class_checks if source == number]
        return Input(self.executor.input_slots[number], spec.shape, spec.dtype, limits)

    def compute(self, read: Callable[[Compiled], Found]) -> Found:
        """Compute the outputs and read them. Nothing else changes, not even the random state."""
        if self.kept is not None:
            self.kept.refresh()
        with self._lent_arena():
            self.executor.compute()
            return read(self)

    def run(
        self, read: Callable[[Compiled], Found], before_update: Callable[[], Any] | None = None
    ) -> Found:
        """Compute the outputs, read them, change state and advance the random state.

        read: reads and checks outputs; what it returns is returned, an error prevents the changes.
        Afterwards any plan may run in this memory, even of a finalizer that Python calls right
        then. before_update: called after that.
        """
        executor = self.executor
        if self.kept is not None:
            self.kept.refresh()
        with self._lent_arena():
            executor.compute()
            found = read(self)
            if before_update is not None:
                before_update()
            executor.update()
        if self._changes_state:
            values_change()
        if self._draws:
            next_step()
        return found

    def _lent_arena(self) -> Arena:
        """A context in which this plan has an arena that no other plan uses.

        The random key of the run is fixed now, since a user's Python function may advance it.
        """
        executor, arena = self.executor, free_arena()
        if arena is not executor.arena:
            executor.move_to(arena)
        if self._draws:
            self._key[:] = KEY
        return arena.lend(executor)

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress, inside a user's Python function."""
        arena = self.executor.arena
        return arena.busy and arena.is_owner(self.executor)

    def fits(self, allowance: Allowance | None, more: int = 0) -> bool:
        """Whether the process would stay within an allowance if this ran now, and took more bytes.

        Since planning, other code may have taken memory, or other plans enlarged the arena. False
        once kept values have been freed.
        """
        if self._freed or allowance is None:
            return not self._freed
        arena = self.executor.arena
        held = resident_bytes() - arena.resident_bytes + arena.bytes_after(self.executor)
        return held + (allowance.others or 0) + SPARE + more <= allowance.limit

    def make_fit(self, allowance: Allowance | None) -> bool:
        """Whether this fits, if need be after freeing what other plans left in the arena."""
        if self.fits(allowance):
            return True
        arena = free_arena()
        if arena is not self.executor.arena:
            self.executor.move_to(arena)
        free_memory(but=self)
        give_back()
        return self.fits(allowance)

    def first_non_finite(self) -> Node | None:
        """The first node with a value that is not finite; reruns all nodes before state changes."""
        done = 0
        for step in self.plan.steps[:self.plan.graph.first_update]:
            self.executor.run(done, done + len(step.calls))
            done += len(step.calls)
            for tensor in step.node.outputs:
                if tensor.dtype == FLOAT and not np.isfinite(self.view(tensor)).all():
                    return step.node
        return None

    def is_finite(self) -> bool:
        """Whether gradients and statistics are finite, by the graph's sums; see `finite.checks`."""
        return self.executor.program.are_finite(self._checks)  # type: ignore[no-any-return]

    def view(self, tensor: Tensor) -> np.ndarray:
        """A value of the plan in place, valid until its memory is reused."""
        return self.executor.view(tensor, self.plan.place(tensor))

    def read(self, position: int) -> np.ndarray:
        """A copy of the graph's output `position`."""
        return self.executor.read(self.plan.graph.outputs[position])

    def first(self) -> float:
        """The graph's first output, a scalar."""
        return LossValue(self.executor.program.number(*self._first))

    def part_values(self) -> dict[str, float]:
        """The named parts of the loss."""
        return {name: float(self.read(position)) for name, position in self.parts.items()}

    def take(self, values: tuple[Any, ...]) -> bool:
        """Bind the arrays in place if they match; else return False."""
        return self.lane.take(values)  # type: ignore[no-any-return]

    def bind(self, arrays: Sequence[np.ndarray]) -> None:
        """Bind converted arrays; ValueError for class numbers out of range."""
        for number, found in self.class_checks:
            least, largest = index_range(arrays[number], found.ignored)
            if least <= largest and (fault := found.fault(least, largest)):
                every = int(arrays[number].min()), int(arrays[number].max())
                raise ValueError(found.fault(*every) if found.axis else fault)
        self.executor.bind(arrays)

"""Compiled graphs: a plan with its program and memory, the arrays it takes, and a few kept.

A step whose arrays are as the last one's goes straight to its program (`PlanCache.bind`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from fastnn._kernels.checks import all_finite, index_range
from fastnn._kernels.inputs import Input, Inputs
from fastnn.advice import as_array, dtype_hint, explained
from fastnn.frozen.watch import Watch, collecting
from fastnn.graph import FLOAT, INDEX, Graph, Leaf, Node, ShapeError, Spec, Tensor
from fastnn.loss_value import LossValue
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter, versions
from fastnn.ops.conv_algorithm import get_conv_algorithm
from fastnn.ops.cross_entropy import CrossEntropy
from fastnn.ops.sum_of_squares import SumOfSquares
from fastnn.plan.budget import SPARE, Allowance, resolve
from fastnn.plan.build import build
from fastnn.plan.plan import Plan
from fastnn.runtime.executor import Executor
from fastnn.runtime.garbage import collected_rarely
from fastnn.runtime.process_memory import give_back, resident_bytes
from fastnn.runtime.random import KEY, random_key
from fastnn.runtime.shared import Arena, free_arena
from fastnn.runtime.threads import get_num_threads
from fastnn.trace import flat

PLANS_KEPT = 8
Budget = int | str | None  # as people write it
Settings = tuple[tuple[int, int], int, str, Allowance | None]
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


class NonFiniteError(FloatingPointError):
    """NaN or infinity in data, or in a loss; names the first layer that produced it."""


def as_input(value: Any, name: str) -> np.ndarray:
    """A C-contiguous float32 or int64 array with the values given; TypeError or ValueError."""
    array = as_array(value, name)
    if array.dtype.kind == "f":
        array = np.ascontiguousarray(array, dtype=FLOAT).reshape(array.shape)
        if not all_finite(array):
            where = np.argwhere(~np.isfinite(array))[0].tolist()
            raise NonFiniteError(f"{name} has a non-finite value at index {where}")
    elif array.dtype.kind in "iu":
        array = np.ascontiguousarray(array, dtype=INDEX).reshape(array.shape)
    else:
        raise TypeError(f"{name} must be an array of floats or integers, got {array.dtype}"
                        f"{dtype_hint(array)}")
    if array.size == 0:
        raise ShapeError(f"{name} is empty: shape {array.shape}")
    return array


def as_inputs(value: Any, name: str) -> Any:
    """`as_input` of one array or a tuple of several."""
    if isinstance(value, tuple):
        return tuple(as_inputs(part, f"{name}[{i}]") for i, part in enumerate(value))
    return as_input(value, name)


def specs_of(value: Any) -> Any:
    """The specs of one array or of those in tuples."""
    if isinstance(value, tuple):
        return tuple(specs_of(part) for part in value)
    return Spec(value.shape, value.dtype)


class Compiled:
    """A plan with its program and memory.

    specs: of the inputs, in the tuples that they come in, for `take`. nesting: the tuples of the
    outputs. arena: memory shared with others, or None for its own; then each use is a `turn`.
    All of it, from inputs that are taken to results that are read, belongs to whoever has the
    process's `turns.turn`.
    """

    def __init__(
        self, graph: Graph, allowance: Allowance | None = None, specs: Any = (),
        nesting: Any = None, arena: Arena | None = None,
    ) -> None:
        self.graph, self.nesting, self.watch = graph, nesting, Watch()
        if allowance is not None and arena is not None:
            arena.renew()  # planning takes memory too
        held = 0 if arena is None else arena.resident_bytes
        self.plan: Plan = build(graph, get_num_threads(), allowance, held)
        calls, split = self.plan.calls()
        places = {new: self.plan.place(new) for new in self.plan.graph.outputs}
        self.executor = Executor(calls, split, self.plan.layout.arena_bytes, places,
                                 self.plan.graph.inputs, self.plan.threads, arena)
        self.draws = random_key() in set(graph.leaves())
        if self.draws:
            self._key = self.executor.own_copy(random_key())
        self.class_checks = [
            (node.inputs[1].node.op.source, node.inputs[0].shape[1], node.op.ignore_index)
            for node in graph.nodes
            if isinstance(node.op, CrossEntropy) and isinstance(node.inputs[1].node.op, Leaf)
            and node.inputs[1].node.op.kind == "input"]
        self._first = (0, 0)
        if graph.outputs:
            self._first = self.executor.locate(self.plan.graph.outputs[0])
        self._checks = [self.executor.locate(tensor) for tensor in self.plan.graph.outputs
                        if isinstance(tensor.node.op, SumOfSquares)]
        expected = self._expected(specs, iter(range(len(graph.inputs))))
        self._inputs = Inputs(self.executor.program, expected)

    def _expected(self, spec: Any, numbers: Iterator[int]) -> Any:
        """What inputs of these specs must be to be read where they lie."""
        if isinstance(spec, tuple):
            return tuple(self._expected(part, numbers) for part in spec)
        number = next(numbers)
        limits = [(classes, ignored) for source, classes, ignored in self.class_checks
                  if source == number]
        return Input(self.executor.input_slots[number], spec.shape, spec.dtype, limits)

    def turn(self) -> Arena:
        """A context in which the memory shared with other plans is this one's.

        The random key stays what it is now, whatever a Python function of the user's runs.
        """
        executor = self.executor
        executor.use(free_arena())
        if self.draws:
            self._key[:] = KEY
        return executor.arena.turn(executor)

    @property
    def is_running(self) -> bool:
        """Whether a run has not ended: it is in a Python function of the user's."""
        arena = self.executor.arena
        return arena.busy and arena.is_owner(self.executor)

    def fits(self, allowance: Allowance | None) -> bool:
        """Whether the process keeps to an allowance when this runs now.

        Others may have taken memory since it was planned, or have left some of it in the arena.
        """
        if allowance is None:
            return True
        arena = self.executor.arena
        held = resident_bytes() - arena.resident_bytes + arena.bytes_after(self.executor)
        return held + (allowance.others or 0) + SPARE <= allowance.limit

    def fits_alone(self, allowance: Allowance | None) -> bool:
        """Whether it fits once what others left in the arena is given back, if need be."""
        if self.fits(allowance):
            return True
        arena = free_arena()
        self.executor.use(arena)
        arena.renew()
        give_back()
        return self.fits(allowance)

    def first_non_finite(self) -> Node | None:
        """Run all before state changes again, up to the first with a value that is not finite."""
        done = 0
        for step in self.plan.steps[:self.plan.graph.first_update]:
            self.executor.run(done, done + len(step.calls))
            done += len(step.calls)
            for tensor in step.node.outputs:
                if tensor.dtype == FLOAT and not np.isfinite(self.view(tensor)).all():
                    return step.node
        return None

    def is_finite(self) -> bool:
        """Whether all is finite that the graph takes sums of squares of; see `finite.checks`."""
        return self.executor.program.are_finite(self._checks)  # type: ignore[no-any-return]

    def view(self, tensor: Tensor) -> np.ndarray:
        """A value of the plan where it lies, as long as it is there."""
        return self.executor.view(tensor, self.plan.place(tensor))

    def read(self, position: int) -> np.ndarray:
        """A copy of the graph's output `position`."""
        return self.executor.read(self.plan.graph.outputs[position])

    def first(self) -> float:
        """The graph's first output, a scalar."""
        return LossValue(self.executor.program.number(*self._first))

    def take(self, values: tuple[Any, ...]) -> bool:
        """Bind arrays that need neither conversion nor an error message; whether these do not."""
        return self._inputs.take(values)  # type: ignore[no-any-return]

    def bind(self, arrays: Sequence[np.ndarray]) -> None:
        """Take the arrays of a call, after checking class numbers."""
        for number, classes, ignored in self.class_checks:
            least, largest = index_range(arrays[number], ignored)
            if least <= largest and (least < 0 or largest >= classes):
                raise ValueError(f"target has class numbers from {least} to {largest}, expected "
                                 f"0 to {classes - 1}: the output has {classes}")
        self.executor.bind(arrays)


def modes(*owners: Any, parameters: Iterable[Parameter] = ()) -> tuple[bool, ...]:
    """What a graph depends on beside shapes: training flags, and which parameters are trained."""
    modules = [owner for owner in owners if isinstance(owner, Module)]
    flags = [part.training for module in modules for part in module.modules()]
    trained = [p.requires_grad for module in modules for p in module.parameters()]
    return (*flags, *trained, *(p.requires_grad for p in parameters))


def _settings(allowance: Allowance | None) -> Settings:
    """What every plan depends on beside shapes and modes; the versions stand for the modes."""
    return versions(), get_num_threads(), get_conv_algorithm(), allowance


class PlanCache:
    """The last few compiled graphs, by shapes, modes and whatever else they depend on.

    One that is running takes no other inputs: for who comes in between there is another.
    """

    def __init__(self, find_modes: Callable[[], tuple[bool, ...]]) -> None:
        self._modes = find_modes
        self._kept: OrderedDict[Any, Compiled] = OrderedDict()
        # The last one, unless it may be running when it is asked for again.
        self._last: tuple[Settings, Compiled, Any] | None = None

    def bind(
        self, values: tuple[Any, ...], names: Sequence[str], make: Callable[[Any], Compiled],
        allowance: Allowance | None = None, given: tuple[Any, ...] | None = None,
    ) -> Compiled:
        """The compiled graph that takes these arrays, and has taken them.

        given: what they were converted from, for the words of an error. Raises as `as_input` and
        `make`, and ValueError for impossible class numbers.
        """
        last = self._last
        if (last is not None and last[0] == _settings(allowance)
                and (allowance is None or last[1].fits(allowance)) and last[1].take(values)):
            if last[1].watch.noted:
                last[1].watch.used()
            return last[1]
        arrays = tuple(map(as_inputs, values, names))
        with explained(names, values if given is None else given):
            compiled = self.get(specs_of(arrays), make, allowance)
        compiled.bind(flat(arrays))
        return compiled

    def get(
        self, specs: Any, make: Callable[[Any], Compiled], allowance: Allowance | None = None
    ) -> Compiled:
        """The compiled graph for inputs of these specs, made if need be.

        It is made again where it does not fit any longer.
        """
        settings = _settings(allowance)
        if (self._last is not None and (self._last[0], self._last[2]) == (settings, specs)
                and self._last[1].fits(allowance)):
            self._last[1].watch.used()
            return self._last[1]
        self._forget(settings[0][0])
        depth, compiled = self._idle(specs, settings)
        if compiled is not None and not compiled.fits_alone(allowance):
            compiled = self._last = None
        if compiled is None:
            with collected_rarely(), collecting() as watch:
                compiled = make(specs)
            compiled.watch = watch
            settings = _settings(allowance)
        else:
            compiled.watch.used()
        self._kept[self._key(specs, settings, depth)] = compiled
        while len(self._kept) > PLANS_KEPT:
            self._kept.popitem(last=False)
        self._last = None if compiled.executor.calls_python else (settings, compiled, specs)
        return compiled

    def clear(self) -> None:
        """Forget all plans and give back their memory."""
        self._kept.clear()
        self._last = None

    def _idle(self, specs: Any, settings: Settings) -> tuple[int, Compiled | None]:
        """(how many alike are running, the first that is not; no longer among those kept)."""
        depth = 0
        while True:
            key = self._key(specs, settings, depth)
            if key not in self._kept or not self._kept[key].is_running:
                return depth, self._kept.pop(key, None)
            depth += 1

    def _key(self, specs: Any, settings: Settings, depth: int) -> tuple[Any, ...]:
        (structure, _), *others = settings
        return structure, specs, *others, self._modes(), depth

    def _forget(self, structure: int) -> None:
        """Give back the memory of plans for modules as they no longer are."""
        for full in [full for full in self._kept if full[0] != structure]:
            del self._kept[full]
        if self._last is not None and self._last[0][0][0] != structure:
            self._last = None

"""Build, plan and run graphs for tests, with every choice of the planner open to a test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.context import updates
from fastnn.engine.nesting import flat
from fastnn.graph import Graph, Tensor
from fastnn.ops.boundary import array_input
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.memory.layout import Layout, Storage, layout
from fastnn.plan.plan import Plan
from fastnn.plan.select import select
from fastnn.runtime.executor import Executor
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.cases.case import Case
from tests.cases.dropout import SEED
from tests.memory import CANARY, LINE, Guarded


@dataclass
class Traced:
    """A graph whose outputs are the values of a case, then the gradients of its inputs."""

    graph: Graph
    arrays: list[np.ndarray]
    values: int


def trace_case(case: Case, gradient: bool = True) -> Traced:
    """The graph of a case; with gradients, for a fixed random upstream gradient of each value."""
    arrays = case.arrays()
    raw, tensors = [], []

    def add(array: np.ndarray) -> Tensor:
        leaf, tensor = array_input(len(raw), Spec(array.shape, array.dtype), "NCHW")
        raw.append(leaf)
        return tensor

    tensors = [add(array) for array in arrays]
    with updates() as effects, streams():
        values = flat(case.build(*tensors))
        results = list(values)
        wanted = [tensors[i] for i in case.wanted()] if gradient else []
        loss = None
        if wanted:
            for number, value in enumerate(values):
                arrays.append(upstream(case, number, value.shape))
                part = (value * add(arrays[-1])).sum()
                loss = part if loss is None else loss + part
            results += gradients(loss, wanted)
    forward = values if loss is None else [*values, loss]
    return Traced(Graph.trace(raw, results, effects, forward), arrays, len(values))


def upstream(case: Case, number: int, shape: Sequence[int]) -> np.ndarray:
    """The gradient that arrives at a value of a case."""
    rng = case.generator(f"upstream{number}")
    return rng.standard_normal(shape).astype(np.float32)


def make_plan(graph: Graph, threads: int = 1, fused: bool = True) -> Plan:
    """A plan of the graph as it is, without a budget."""
    graph = fuse(graph) if fused else graph
    steps = select(graph, threads)
    return Plan(graph, steps, layout(graph, steps), threads, (), 0, lambda: 0)


def executor_of(plan: Plan) -> Executor:
    """The program of a plan, with its memory."""
    calls, split = plan.calls()
    places = {tensor: plan.place(tensor) for tensor in plan.graph.outputs}
    return Executor(calls, split, plan.layout.arena_bytes, places, plan.graph.inputs, plan.threads)


def poison(executor: Executor) -> None:
    """Fill the arena with NaN, so that a value that was never written shows."""
    executor.memory(None)[:] = 0xFF


def _storages(layout: Layout) -> list[Storage]:
    every = (*layout.storages.values(), *layout.workspaces.values())
    return list({id(storage): storage for storage in every}.values())


def spread(layout: Layout) -> Layout:
    """The layout with all buffers apart, none in the place of another, and gaps around them."""
    end = LINE
    for storage in _storages(layout):
        storage.offset = end
        end = ((end + storage.bytes) // LINE + 2) * LINE
    return replace(layout, arena_bytes=end)


def run_guarded(graph: Graph, arrays: Sequence[np.ndarray], threads: int = 1) -> list[np.ndarray]:
    """As `run`, with canaries around every buffer of the plan and forbidden pages at its inputs."""
    fn.manual_seed(SEED)
    plan = make_plan(graph, threads)
    plan = replace(plan, layout=spread(plan.layout))
    executor = executor_of(plan)
    arena = executor.memory(None)
    arena.view(np.uint32)[:] = CANARY
    gap = np.ones(arena.size, bool)
    for storage in _storages(plan.layout):
        gap[storage.offset:storage.offset + storage.bytes] = False
    before = arena.copy()
    guards = [Guarded(array.nbytes, array.itemsize, at_end=True) for array in arrays]
    inputs = [guard.bytes.view(array.dtype).reshape(array.shape)
              for guard, array in zip(guards, arrays, strict=True)]
    for place, array in zip(inputs, arrays, strict=True):
        place[...] = array
    executor.bind(inputs)
    executor.compute()
    executor.update()
    assert (arena[gap] == before[gap]).all(), "a kernel wrote beside its buffers"
    for number, (guard, place, array) in enumerate(zip(guards, inputs, arrays, strict=True)):
        guard.check(f"input {number}")
        assert place.tobytes() == array.tobytes(), f"input {number} changed"
    return [executor.read(tensor) for tensor in plan.graph.outputs]


def run(
    graph: Graph, arrays: Sequence[np.ndarray], threads: int = 1, fused: bool = True,
    poisoned: bool = True,
) -> list[np.ndarray]:
    """The graph's outputs for arrays; copies."""
    fn.manual_seed(SEED)
    plan = make_plan(graph, threads, fused)
    executor = executor_of(plan)
    executor.bind(list(arrays))
    if poisoned:
        poison(executor)
    executor.compute()
    executor.update()
    return [executor.read(tensor) for tensor in plan.graph.outputs]


def same_bits(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """Whether two lists of arrays are equal to the last bit (0.0 and -0.0 differ)."""
    return all(a.shape == b.shape and a.tobytes() == b.tobytes()
               for a, b in zip(one, other, strict=True))


def assert_close(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    """|got - expected| <= tolerance * (|expected| + the RMS of expected)."""
    assert got.shape == np.shape(expected), f"{what}: shape {got.shape}, not {np.shape(expected)}"
    expected = np.asarray(expected, np.float64)
    assert np.isfinite(got).all(), f"{what}: not finite"
    scale = np.abs(expected) + np.sqrt(np.mean(expected**2))
    error = np.abs(got - expected) - tolerance * scale
    if (error > 0).any():
        place = np.unravel_index(int(error.argmax()), error.shape)
        raise AssertionError(f"{what}: at {tuple(map(int, place))} got {got[place]!r}, expected "
                             f"{expected[place]!r}; {(error > 0).sum()} of {error.size} differ")

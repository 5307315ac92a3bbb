"""From a fused graph to a plan: choose kernels, recompute if the budget asks for it, lay out."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import cached_property

from fastnn.graph import Graph
from fastnn.ops.function import lent_bytes
from fastnn.plan.budget import (
    PLANNED,
    Allowance,
    MemoryBudgetError,
    format_bytes,
    growth_bytes,
    running_bytes,
)
from fastnn.plan.cost.predict import team_size
from fastnn.plan.cost.rates import machine_rates
from fastnn.plan.memory.layout import Layout, layout
from fastnn.plan.plan import Plan
from fastnn.plan.recompute.frontier import frontier, interned
from fastnn.plan.recompute.honour_drops import honour_drops
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import recomputed_at
from fastnn.plan.recompute.problem import Problem, Schedule, build_problem
from fastnn.plan.recompute.replay import replay
from fastnn.plan.select import Step, select
from fastnn.runtime.process_memory import give_back, resident_bytes

ATTEMPTS = 3  # to find a plan that still fits beside its own objects


@dataclass(frozen=True)
class Planned:
    """A schedule as a graph, with its kernels and memory layout."""

    graph: Graph
    steps: tuple[Step, ...]
    layout: Layout
    recomputed_steps: tuple[int, ...]


@dataclass(frozen=True)
class Planner:
    """All plans of one fused graph for a number of threads."""

    graph: Graph
    threads: int

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The graph's nodes with their kernels."""
        return select(self.graph, self.threads)

    @cached_property
    def problem(self) -> Problem:
        """The graph as tasks with bytes and seconds."""
        return interned(build_problem(self.graph, self.steps, machine_rates(self.threads)))

    def lay_out(
        self, schedule: Schedule, room: int | None = None, single_threaded: Container[int] = ()
    ) -> Planned:
        """A schedule with kernels and memory layout, if possible within `room` bytes.

        single_threaded: steps that run on one thread.
        """
        return self._lay_out(self.problem, schedule, room, single_threaded)

    def _lay_out(
        self, problem: Problem, schedule: Schedule, room: int | None = None,
        single_threaded: Container[int] = ()
    ) -> Planned:
        graph = replay(self.graph, problem, schedule)
        steps = select(graph, self.threads, single_threaded)
        return Planned(graph, steps, layout(graph, steps, room), tuple(recomputed_at(schedule)))

    @cached_property
    def whole(self) -> Planned:
        """The plan that keeps every value that is not dropped; it needs no machine's rates."""
        problem = build_problem(self.graph, self.steps)
        return self._lay_out(problem, honour_drops(problem, problem.everything))

    def fastest(self, arena_bytes: int) -> Planned | None:
        """The fastest plan whose arena has at most so many bytes.

        Packing may need a little more than the bytes in use; then the next smaller one is tried.
        """
        points = [p for p in frontier(self.problem) if p.bytes <= arena_bytes]
        for point in reversed(points):
            planned = self.lay_out(point.schedule, arena_bytes, point.single_threaded)
            if planned.layout.arena_bytes <= arena_bytes:
                return planned
            del planned  # free it before the next one is made
        return None

    def fitting(self, room: Callable[[], int]) -> Planned | None:
        """The fastest plan whose arena fits, counting the memory that planning itself took."""
        whole = Liveness(self.problem, honour_drops(self.problem, self.problem.everything))
        space = room()
        if whole.peak <= space and self.whole.layout.arena_bytes <= space:
            return self.whole
        frontier(self.problem)
        planned = self._fitting_beside_itself(room() - self.object_bytes, room)
        return planned or self._fitting_beside_itself(room(), room)  # the objects may take less

    def _fitting_beside_itself(self, space: int, room: Callable[[], int]) -> Planned | None:
        """The fastest plan for an arena of `space` bytes that fits beside its own objects."""
        for _ in range(ATTEMPTS):
            planned = self.fastest(space)
            if planned is None:
                break
            left = room()
            if planned.layout.arena_bytes <= left:
                return planned
            space = min(left, planned.layout.arena_bytes - 1)
            del planned  # free it before the next one is made
        return None

    @property
    def object_bytes(self) -> int:
        """About the bytes of a plan's objects, estimated before it is made."""
        return PLANNED * len(self.graph.nodes)

    def packed(self) -> list[tuple[int, float]]:
        """(bytes of the arena, seconds of a step) of the frontier, the least memory first."""
        found: list[tuple[int, float]] = []
        for point in reversed(frontier(self.problem)):
            planned = self.lay_out(point.schedule, point.bytes, point.single_threaded)
            size = planned.layout.arena_bytes
            if not found or size < found[-1][0]:
                rates = machine_rates(self.threads)
                found.append((size, rates.seconds(planned.graph.nodes, point.single_threaded)))
        return found[::-1]

    @cached_property
    def smallest_arena(self) -> int:
        """Bytes of the smallest arena that has a plan."""
        best = self.whole.layout.arena_bytes
        for point in frontier(self.problem):
            if point.bytes >= best:
                break
            planned = self.lay_out(point.schedule, point.bytes, point.single_threaded)
            best = min(best, planned.layout.arena_bytes)
        return best


def copied_bytes(graph: Graph) -> int:
    """Bytes of the forward results, which are copied out of the arena."""
    forward = set(graph.nodes[:graph.forward_nodes])
    return sum(tensor.bytes for tensor in graph.outputs if tensor.node in forward)


def build(
    graph: Graph, threads: int, allowance: Allowance | None = None, old_arena: int = 0
) -> Plan:
    """The plan for a fused graph; MemoryBudgetError if none fits into what a process may hold.

    old_arena: resident bytes of an arena that the plan's own will replace.
    """
    planner = Planner(graph, team_size(graph, threads))
    batch = sum(tensor.bytes for tensor in graph.inputs)
    limit, floor, beside = None, 0, batch + copied_bytes(graph)
    if allowance is not None:
        limit, floor = allowance.limit, allowance.floor
        beside = (allowance.beside(batch) + copied_bytes(graph)
                  + allowance.objects(len(graph.nodes)))
    running = running_bytes(len(graph.nodes)) + lent_bytes(graph.nodes)
    growth = growth_bytes(len(graph.nodes))

    def baseline() -> int:
        return resident_bytes() - old_arena

    def room() -> int:
        """Bytes left for an arena; what planning has left in memory counts too."""
        assert limit is not None
        give_back()  # freed planning objects must not count
        return limit - baseline() - beside - running

    planned: Planned | None = planner.whole
    if limit is not None:
        planned = planner.fitting(room) if floor <= limit else None
    if planned is None:
        least = beside + running + planner.smallest_arena + growth
        give_back()
        least = max(least + baseline(), floor + growth)
        raise MemoryBudgetError(
            f"a memory budget of {format_bytes(limit or 0)} is too small: this step needs at "
            f"least {format_bytes(least)} ({least} bytes), of which the process holds "
            f"{format_bytes(baseline())} already", least)
    return Plan(planned.graph, planned.steps, planned.layout, planner.threads,
                planned.recomputed_steps, baseline(), lambda: planner.smallest_arena,
                planner.packed, beside, running, growth)

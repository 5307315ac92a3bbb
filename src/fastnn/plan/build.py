"""From a graph to a plan: fuse, choose kernels, recompute if the budget asks for it, lay out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fastnn.graph import Graph
from fastnn.plan.budget import (
    GROWTH,
    RUNNING,
    MemoryBudgetError,
    format_bytes,
    parse_bytes,
    resident_bytes,
)
from fastnn.plan.cost import team_size
from fastnn.plan.frontier import frontier
from fastnn.plan.fuse import fuse
from fastnn.plan.memory import Layout, layout
from fastnn.plan.plan import Plan
from fastnn.plan.problem import Problem, Schedule, pose
from fastnn.plan.replay import repeated, replay
from fastnn.plan.select import Step, select


@dataclass(frozen=True)
class Planned:
    """A schedule as a graph, with kernels and places."""

    graph: Graph
    steps: tuple[Step, ...]
    layout: Layout
    recomputed: tuple[str, ...]


@dataclass(frozen=True)
class Planner:
    """All plans of one fused graph for a number of threads."""

    graph: Graph
    threads: int

    @cached_property
    def problem(self) -> Problem:
        """The graph as tasks with bytes and seconds."""
        return pose(self.graph, select(self.graph, self.threads))

    def lay_out(self, schedule: Schedule) -> Planned:
        """A schedule with kernels and places."""
        graph = replay(self.graph, self.problem, schedule)
        steps = select(graph, self.threads)
        again = [self.graph.nodes[number] for number in repeated(schedule)]
        names = tuple(f"{node.scope}:{node.op.name}" for node in again)
        return Planned(graph, steps, layout(graph, steps), names)

    @cached_property
    def whole(self) -> Planned:
        """The plan that keeps every value."""
        return self.lay_out(self.problem.everything)

    def fastest(self, arena_bytes: int) -> Planned | None:
        """The fastest plan whose arena has at most so many bytes.

        Packing may need a little more than is in use at once: then the next smaller one is tried.
        """
        points = [p for p in frontier(self.problem) if p.bytes <= arena_bytes]
        for point in reversed(points):
            planned = self.lay_out(point.schedule)
            if planned.layout.arena_bytes <= arena_bytes:
                return planned
        return None

    def packed(self) -> Iterator[tuple[int, float]]:
        """(bytes of the arena, seconds) of the frontier, from the least memory."""
        for point in frontier(self.problem):
            yield self.lay_out(point.schedule).layout.arena_bytes, point.seconds

    @cached_property
    def smallest_arena(self) -> int:
        """Bytes of the smallest arena that there is a plan for."""
        best = self.whole.layout.arena_bytes
        for point in frontier(self.problem):
            if point.bytes >= best:
                break
            best = min(best, self.lay_out(point.schedule).layout.arena_bytes)
        return best


def build(
    graph: Graph, threads: int, memory_budget: int | str | None = None, held: int = 0
) -> Plan:
    """The plan for a graph; MemoryBudgetError if no schedule fits into the budget.

    held: bytes of an arena in memory whose place the plan's own will take.
    """
    limit = None if memory_budget is None else parse_bytes(memory_budget)
    fused = fuse(graph)
    planner = Planner(fused, team_size(fused, threads))
    batch = sum(tensor.bytes for tensor in graph.inputs)

    def finished(planned: Planned) -> Plan:
        return Plan(planned.graph, planned.steps, planned.layout, planner.threads,
                    planned.recomputed, resident_bytes() - held, lambda: planner.smallest_arena)

    def room(limit: int) -> int:
        return limit - (resident_bytes() - held) - batch - RUNNING

    if limit is None or planner.whole.layout.arena_bytes <= room(limit):
        return finished(planner.whole)
    frontier(planner.problem)  # what planning leaves in memory counts too
    planned = planner.fastest(room(limit))
    if planned is not None:
        return finished(planned)
    smallest = limit - room(limit) + planner.smallest_arena + GROWTH
    raise MemoryBudgetError(
        f"a memory budget of {format_bytes(limit)} is too small: this step needs at least "
        f"{format_bytes(smallest)} ({smallest} bytes), of which the process holds "
        f"{format_bytes(resident_bytes() - held)} already", smallest)

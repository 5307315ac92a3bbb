"""From a graph to a plan: fuse, recompute if the budget asks for it, choose kernels, lay out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastnn.graph import Graph, Tensor
from fastnn.plan.budget import (
    GROWTH,
    MemoryBudgetError,
    format_bytes,
    parse_bytes,
    resident_bytes,
)
from fastnn.plan.cost import team_size
from fastnn.plan.fuse import fuse
from fastnn.plan.memory import Layout, layout
from fastnn.plan.plan import Plan
from fastnn.plan.recompute import candidates, drop
from fastnn.plan.select import Step, select


def _laid_out(graph: Graph, threads: int) -> tuple[Graph, tuple[Step, ...], Layout]:
    steps = select(graph, threads)
    return graph, steps, layout(graph, steps)


def build(graph: Graph, threads: int, memory_budget: int | str | None = None) -> Plan:
    """The plan for a graph; MemoryBudgetError if no schedule fits into the budget."""
    graph = fuse(graph)
    threads = team_size(graph, threads)
    baseline = resident_bytes()
    outside = baseline + sum(tensor.bytes for tensor in graph.inputs)
    limit = None if memory_budget is None else parse_bytes(memory_budget)
    for dropped in candidates(graph):
        parts = _laid_out(drop(graph, dropped), threads)
        if limit is None or outside + parts[2].arena_bytes <= limit:
            names = _names(sorted(dropped, key=lambda tensor: tensor.node.order))
            return Plan(*parts, threads, names, baseline,
                        partial(smallest_arena, graph, threads))
    smallest = outside + smallest_arena(graph, threads) + GROWTH
    assert limit is not None
    raise MemoryBudgetError(
        f"a memory budget of {format_bytes(limit)} is too small: this step needs at least "
        f"{format_bytes(smallest)} ({smallest} bytes), of which the process holds "
        f"{format_bytes(baseline)} already", smallest)


def smallest_arena(graph: Graph, threads: int) -> int:
    """Bytes of the smallest arena that any schedule needs."""
    return min(_laid_out(drop(graph, dropped), threads)[2].arena_bytes
               for dropped in candidates(graph))


def _names(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    return tuple(f"{t.node.scope}:{t.node.op.name}" for t in tensors)

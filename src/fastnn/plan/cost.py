"""Predicted time of a node, from its operations and the bytes it moves, and of many on a team."""

from __future__ import annotations

from collections.abc import Iterable

from fastnn.graph import Graph, Node

# Rates of one modest core, until a machine's own are measured.
FLOPS_PER_SECOND, BYTES_PER_SECOND = 40e9, 10e9
# Handing work to a team and waiting for its end: for each node that is shared, and some times in
# each step to set the workers' floating-point state and to put it back.
START_SECONDS, STARTS_PER_STEP = 5e-6, 4


def node_seconds(node: Node) -> float:
    """Time of one node on one thread."""
    if node.op.view_of(node) is not None:
        return 0.0
    moved = sum(tensor.bytes for tensor in (*node.inputs, *node.outputs))
    return max(node.op.flops(node) / FLOPS_PER_SECOND, moved / BYTES_PER_SECOND)


def seconds(nodes: Iterable[Node], threads: int) -> float:
    """Time of a step on so many threads: a node is shared where that is faster.

    With START_SECONDS = s, a node that takes t alone takes min(t, t / threads + s): nothing jumps
    as t grows, and what a team saves only grows with t.
    """
    alone = [node_seconds(node) for node in nodes]
    if threads == 1:
        return sum(alone)
    shared = sum(min(time, time / threads + START_SECONDS) for time in alone)
    return shared + STARTS_PER_STEP * START_SECONDS


def team_size(graph: Graph, threads: int) -> int:
    """All threads or one, whichever is faster. Results are the same for any number."""
    return min(1, threads, key=lambda size: seconds(graph.nodes, size))

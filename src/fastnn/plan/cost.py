"""Predicted time of a node, from its operations and the bytes it moves, and of many on a team."""

from __future__ import annotations

from collections.abc import Iterable

from fastnn.graph import Graph, Node

# Rates of one core with wide vectors, as convolutions and passes over memory reach them in a step.
# Their ratio decides what is cheap to compute again: convolutions were 3 to 5 times as fast as the
# 40e9 assumed at first, and plans ran batch norm and pooling again where a convolution cost less.
FLOPS_PER_SECOND, BYTES_PER_SECOND = 150e9, 10e9
# Handing work to a team and waiting for its end: for each node that is shared, and some times in
# each step to set the workers' floating-point state and to put it back.
START_SECONDS, STARTS_PER_STEP = 5e-6, 4


def node_seconds(node: Node) -> float:
    """Time of one node on one thread."""
    if node.op.view_of(node) is not None:
        return 0.0
    moved = sum(tensor.bytes for tensor in (*node.inputs, *node.outputs))
    return max(node.op.flops(node) / FLOPS_PER_SECOND, moved / BYTES_PER_SECOND)


def team_seconds(node: Node, threads: int) -> float:
    """Time of one node on so many threads: it is shared where that is faster.

    With START_SECONDS = s, a node that takes t alone takes min(t, t / threads + s): nothing jumps
    as t grows, and what a team saves only grows with t.
    """
    alone = node_seconds(node)
    return alone if threads == 1 else min(alone, alone / threads + START_SECONDS)


def seconds(nodes: Iterable[Node], threads: int) -> float:
    """Time of a step on so many threads."""
    starts = 0.0 if threads == 1 else STARTS_PER_STEP * START_SECONDS
    return sum(team_seconds(node, threads) for node in nodes) + starts


def team_size(graph: Graph, threads: int) -> int:
    """All threads or one, whichever is faster. Results are the same for any number."""
    return min(1, threads, key=lambda size: seconds(graph.nodes, size))

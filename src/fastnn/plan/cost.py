"""Predicted time of a node, from its operations and the bytes it moves."""

from __future__ import annotations

from fastnn.graph import Graph, Node

# Rates of one modest core, until a machine's own are measured.
FLOPS_PER_SECOND, BYTES_PER_SECOND = 40e9, 10e9
# Starting a team costs some microseconds for each kernel: below this, one thread is faster.
TEAM_SECONDS = 1e-4


def node_seconds(node: Node) -> float:
    """Time of one node on one thread."""
    if node.op.view_of(node) is not None:
        return 0.0
    moved = sum(tensor.bytes for tensor in (*node.inputs, *node.outputs))
    return max(node.op.flops(node) / FLOPS_PER_SECOND, moved / BYTES_PER_SECOND)


def team_size(graph: Graph, threads: int) -> int:
    """One thread for a graph too small to share, else all. Results are the same for any number."""
    return 1 if sum(map(node_seconds, graph.nodes)) < TEAM_SECONDS else threads

"""Predicted time of a node, from its work and a machine's rates, and of a step on a team."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from fastnn.graph import Graph, Node

CACHE = 6 << 20  # bytes of one node that a step's others have not driven out of the caches
FAR = " from memory"  # what marks the kind of bytes beyond
PASSES = ("pass", "norm", "statistics", "norm gradient", "operands")  # kinds that are bytes
# Handing work to a team and waiting for its end: for each node that is shared, and some times in
# each step to set the workers' floating-point state and to put it back.
START_SECONDS, STARTS_PER_STEP = 5e-6, 4


@dataclass(frozen=True)
class Rates:
    """Seconds for a unit of each kind of work: on one thread, and on a team of `threads`.

    The kinds are what operations call their `work`: floating-point operations of products by
    algorithm ("products", "tile products", ...), what Winograd transforms ("tile values", "tile
    weights"), bytes of passes by what they compute and of what products read and write
    ("operands"). Beyond the CACHE bytes come from memory. Each node is a "call".
    """

    threads: int
    one_thread: Mapping[str, float]
    team: Mapping[str, float]

    def node_seconds(self, node: Node) -> float:
        """Time of one node; it is shared where that is faster.

        With k = what a call costs a team, a node that takes t on one thread and w shared takes
        min(t, w + k): nothing jumps as t grows, and what a team saves only grows with t.
        """
        if node.op.view_of(node) is not None:
            return 0.0
        amounts = amounts_of(node)
        return min(_total(amounts, self.one_thread), _total(amounts, self.team))

    def single_thread_seconds(self, node: Node) -> float:
        """Time of one node on one thread."""
        if node.op.view_of(node) is not None:
            return 0.0
        return _total(amounts_of(node), self.one_thread)

    def seconds(self, nodes: Iterable[Node], single_threaded: Container[int] = ()) -> float:
        """Time of a step; single_threaded: positions of nodes that have one thread."""
        starts = 0.0 if self.threads == 1 else STARTS_PER_STEP * START_SECONDS
        return starts + sum(
            self.single_thread_seconds(node) if position in single_threaded
            else self.node_seconds(node)
            for position, node in enumerate(nodes))


def amounts_of(node: Node) -> dict[str, float]:
    """The work of a node as a machine sees it."""
    found = {"call": 1.0, **node.op.work(node)}
    for kind in found.keys() & PASSES:
        found[kind + FAR] = max(0.0, found[kind] - CACHE)
        found[kind] -= found[kind + FAR]
    return found


def _total(amounts: Mapping[str, float], rates: Mapping[str, float]) -> float:
    return sum(amount * rates[kind] for kind, amount in amounts.items())


# What one core with wide vectors reaches (AMD Zen 4): used where nothing was measured.
FIXED = {"call": 0.0, "products": 1e-11, "matrix products": 1e-11, "grouped products": 3e-11,
         "line products": 2e-11, "tile products": 1e-11, "tile values": 1.5e-10,
         "tile weights": 2e-10, "pass": 1e-11, "norm": 2e-11, "statistics": 3e-11,
         "norm gradient": 4e-11, "operands": 0.0}
FIXED |= {kind + FAR: FIXED[kind] + 2.5e-11 for kind in PASSES}


def fixed_rates(threads: int) -> Rates:
    """The same on every machine; a team shares all of a node's work."""
    if threads == 1:
        return Rates(1, FIXED, FIXED)
    team = {kind: rate / threads for kind, rate in FIXED.items()}
    return Rates(threads, FIXED, team | {"call": START_SECONDS})


def team_size(graph: Graph, threads: int) -> int:
    """All threads or one, whichever is faster by fixed rates, so that it never depends on timing.

    Results are the same for any number.
    """
    return min(1, threads, key=lambda size: fixed_rates(size).seconds(graph.nodes))

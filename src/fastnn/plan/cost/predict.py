"""Predicted time of nodes and steps, from their work and a machine's rates."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from fastnn.graph import Graph, Node

CACHE = 6 << 20  # bytes of a node's operands that are still cached when it runs
FAR = " from memory"  # suffix of the kind of the bytes beyond CACHE
PASSES = ("pass", "norm", "statistics", "norm gradient", "operands")  # kinds that are bytes
# Handing work to a team and waiting for its end: once for each node that is shared, and several
# times in each step to set and restore the workers' floating-point state.
START_SECONDS, STARTS_PER_STEP = 5e-6, 4


@dataclass(frozen=True)
class Rates:
    """Seconds for a unit of each kind of work: on one thread, and on a team of `threads`.

    The kinds are the keys of an operation's `work`: floating-point operations by algorithm
    ("products", "tile products", ...), elements that Winograd transforms ("tile values", "tile
    weights"), bytes of memory passes by what they compute ("pass", "norm", ...), and bytes that
    products read and write ("operands"). Bytes beyond CACHE have a kind of their own. Each node
    is also one "call".
    """

    threads: int
    one_thread: Mapping[str, float]
    team: Mapping[str, float]

    def node_seconds(self, node: Node) -> float:
        """Time of one node, on one thread or on the team, whichever is faster.

        So predictions have no jumps: where the team becomes faster, both take the same time.
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
        """Time of a step; single_threaded: positions of nodes that run on one thread."""
        starts = 0.0 if self.threads == 1 else STARTS_PER_STEP * START_SECONDS
        return starts + sum(
            self.single_thread_seconds(node) if position in single_threaded
            else self.node_seconds(node)
            for position, node in enumerate(nodes))


def amounts_of(node: Node) -> dict[str, float]:
    """The work of a node, with its bytes split at CACHE."""
    found = {"call": 1.0, **node.op.work(node)}
    for kind in found.keys() & PASSES:
        found[kind + FAR] = max(0.0, found[kind] - CACHE)
        found[kind] -= found[kind + FAR]
    return found


def _total(amounts: Mapping[str, float], rates: Mapping[str, float]) -> float:
    return sum(amount * rates[kind] for kind, amount in amounts.items())


# Seconds per unit on one core with wide vectors (AMD Zen 4): used where nothing was measured.
FIXED = {"call": 0.0, "products": 1e-11, "matrix products": 1e-11, "grouped products": 3e-11,
         "line products": 2e-11, "tile products": 1e-11, "tile values": 1.5e-10,
         "tile weights": 2e-10, "pass": 1e-11, "norm": 2e-11, "statistics": 3e-11,
         "norm gradient": 4e-11, "operands": 0.0}
FIXED |= {kind + FAR: FIXED[kind] + 2.5e-11 for kind in PASSES}


def fixed_rates(threads: int) -> Rates:
    """Rates that are the same on every machine; a team divides all work evenly."""
    if threads == 1:
        return Rates(1, FIXED, FIXED)
    team = {kind: rate / threads for kind, rate in FIXED.items()}
    return Rates(threads, FIXED, team | {"call": START_SECONDS})


def team_size(graph: Graph, threads: int) -> int:
    """All threads or one, whichever is faster by fixed rates, so that no timing decides.

    Results have the same bits for any number.
    """
    return min(1, threads, key=lambda size: fixed_rates(size).seconds(graph.nodes))

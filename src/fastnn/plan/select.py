"""Choose each node's kernels: lower the graph to kernel calls by fixed rules, never by timing."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from fastnn._kernels.registry import kernel
from fastnn.graph import Call, Graph, Node


@dataclass(frozen=True)
class Step:
    """A node, its kernel calls, and the scratch bytes of each; None for a call without scratch.

    threads: the team size of its calls. Scratch depends on it, results do not.
    """

    node: Node
    calls: tuple[Call, ...]
    scratch: tuple[int | None, ...]
    threads: int

    @property
    def workspace_bytes(self) -> int:
        return _largest(self.scratch)

    def workspace_of(self, threads: int) -> int:
        """The workspace that the calls need on a team of so many threads."""
        return _largest(_scratch(call, threads) for call in self.calls)


def _largest(scratch: Iterable[int | None]) -> int:
    return max((size or 0 for size in scratch), default=0)


def _scratch(call: Call, threads: int) -> int | None:
    if call.kernel == "python":
        return None
    extents = kernel(call.kernel).extents(call.d, threads)
    missing = len(extents) - len(call.buffers)
    if missing not in (0, 1):
        raise ValueError(f"{call.kernel} takes {len(extents)} buffers, got {len(call.buffers)}")
    return extents[-1] if missing else None


def _makes_nothing(node: Node) -> bool:
    """Whether a node's outputs have no elements."""
    return bool(node.outputs) and all(tensor.spec.size == 0 for tensor in node.outputs)


def step_of(node: Node, threads: int) -> Step:
    """The step that computes a node."""
    calls = () if _makes_nothing(node) else tuple(node.op.lower(node))
    return Step(node, calls, tuple(_scratch(call, threads) for call in calls), threads)


def select(graph: Graph, threads: int, single_threaded: Container[int] = ()) -> tuple[Step, ...]:
    """One step for each node; single_threaded: positions of those that run on one thread."""
    return tuple(step_of(node, 1 if position in single_threaded else threads)
                 for position, node in enumerate(graph.nodes))

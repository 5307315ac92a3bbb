"""What a planner must know of a graph: tasks and values as numbers, with their bytes and seconds.

A task is a node, a value what it makes; leaves (parameters, the batch) take no part. A schedule is
a sequence of task numbers: every task once in the order of the graph, and forward tasks again
wherever the backward pass makes their values anew. Whoever reads a value reads its last instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastnn.graph import Graph, Leaf, Node, Tensor
from fastnn.plan.cost import team_seconds
from fastnn.plan.memory import reserved_bytes
from fastnn.plan.select import Step
from fastnn.plan.tables import LEAF, Tables

Schedule = tuple[int, ...]

# A value below this share of what was read to make it is kept: to make it again would hold its
# inputs for next to nothing. So batch norm's statistics are those of the first pass.
REDUCTION = 1 / 16


@dataclass(frozen=True)
class Task:
    """One node: the values it reads and makes, its seconds and its workspace in bytes.

    view: the value whose memory its output is, or LEAF. over: values whose memory its first output
    may take. again: whether it may run a second time.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    seconds: float
    workspace: int = 0
    view: int | None = None
    over: tuple[int, ...] = ()
    again: bool = False


@dataclass(frozen=True)
class Problem:
    """Tasks in order, of which the first `forward` are the forward pass.

    sizes: bytes of each value; reserved: what it takes in the arena. results: values kept to the
    end.
    """

    tasks: tuple[Task, ...]
    sizes: tuple[int, ...]
    reserved: tuple[int, ...]
    forward: int
    results: frozenset[int] = frozenset()

    @cached_property
    def producer(self) -> tuple[int, ...]:
        """The task that makes each value."""
        made = {value: number for number, task in enumerate(self.tasks) for value in task.outputs}
        return tuple(made[value] for value in range(len(self.sizes)))

    @cached_property
    def last_forward(self) -> tuple[int, ...]:
        """The last forward task that reads each value, or -1."""
        last = [-1] * len(self.sizes)
        for number, task in enumerate(self.tasks[:self.forward]):
            for value in task.inputs:
                last[value] = number
        return tuple(last)

    @cached_property
    def tables(self) -> Tables:
        """The same in whole arrays."""
        return Tables(self.tasks, self.sizes, self.reserved, self.results, self.producer)

    @property
    def everything(self) -> Schedule:
        """The schedule that keeps every value."""
        return tuple(range(len(self.tasks)))

    def seconds(self, schedule: Schedule) -> float:
        """Time of all tasks of a schedule."""
        return float(self.tables.seconds[np.array(schedule, np.int64)].sum())


def pose(graph: Graph, steps: Sequence[Step], threads: int = 1) -> Problem:
    """The problem that a graph with its kernels is, on so many threads."""
    number: dict[Tensor, int] = {}
    for node in graph.nodes:
        for tensor in node.outputs:
            number[tensor] = len(number)
    read_at_end = {t for node in graph.nodes[graph.first_update:] for t in node.inputs}
    kept = read_at_end | set(graph.outputs)
    tasks = []
    for position, (node, step) in enumerate(zip(graph.nodes, steps, strict=True)):
        viewed = node.op.view_of(node)
        tasks.append(Task(
            inputs=tuple(number[t] for t in node.inputs if t in number),
            outputs=tuple(number[t] for t in node.outputs),
            seconds=team_seconds(node, threads),
            workspace=reserved_bytes(step.workspace_bytes),
            view=None if viewed is None else number.get(node.inputs[viewed], LEAF),
            over=tuple(number[node.inputs[i]] for i in node.op.overwrites(node)
                       if node.inputs[i] in number),
            again=position < graph.forward_nodes and _replayable(node, kept)))
    sizes = tuple(max(tensor.bytes, 1) for tensor in number)
    return Problem(tuple(tasks), sizes, tuple(map(reserved_bytes, sizes)), graph.forward_nodes,
                   frozenset(number[t] for t in graph.outputs if t in number))


def _replayable(node: Node, kept: set[Tensor]) -> bool:
    if not node.op.replayable or not node.outputs or any(t in kept for t in node.outputs):
        return False
    made = sum(tensor.bytes for tensor in node.outputs)
    read = sum(t.bytes for t in node.inputs if not isinstance(t.node.op, Leaf))
    return made >= REDUCTION * read

"""What a planner must know of a graph: tasks and values as numbers, with their bytes and seconds.

A task is a node, a value what it makes; leaves (parameters, the batch) take no part. A schedule is
a sequence of task numbers: every task once in the order of the graph, and forward tasks again
wherever the backward pass makes their values anew. Whoever reads a value reads its last instance.
What runs again may be less than what ran first: a convolution that adds up statistics as it writes
does not add them up again.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fastnn.graph import Graph, Leaf, Node, Tensor
from fastnn.plan.cost.predict import Rates, fixed_rates
from fastnn.plan.memory.layout import reserved_bytes
from fastnn.plan.recompute.pins import dropped
from fastnn.plan.recompute.tables import LEAF, Ints, Tables
from fastnn.plan.select import Step, step_of

Schedule = tuple[int, ...]

# A value below this share of what was read to make it is kept: to make it again would hold its
# inputs for next to nothing. So batch norm's statistics are those of the first pass.
REDUCTION = 1 / 16
ONE_THREAD = fixed_rates(1)


@dataclass(frozen=True)
class Task:
    """One node: the values it reads and makes, its seconds and its workspace in bytes.

    view: the value whose memory its output is, or LEAF. over: values whose memory its first output
    may take. again: whether it may run a second time; shorter: what it then is, if that is less
    (the same inputs, and only the first of the outputs). spare: bytes of the workspace that it
    does without on one thread; slower: seconds that this takes more.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    seconds: float
    workspace: int = 0
    view: int | None = None
    over: tuple[int, ...] = ()
    again: bool = False
    shorter: Task | None = None
    spare: int = 0
    slower: float = 0.0

    @property
    def second(self) -> Task:
        """What the task is whenever it runs again."""
        return self.shorter or self


@dataclass(frozen=True)
class Problem:
    """Tasks in order, of which the first `forward` are the forward pass.

    sizes: bytes of each value; reserved: what it takes in the arena. results: values kept to the
    end. dropped: values that the backward pass must not find held, but make again.
    """

    tasks: tuple[Task, ...]
    sizes: tuple[int, ...]
    reserved: tuple[int, ...]
    forward: int
    results: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()

    @cached_property
    def producer(self) -> tuple[int, ...]:
        """The task that makes each value."""
        made = {value: number for number, task in enumerate(self.tasks) for value in task.outputs}
        return tuple(made[value] for value in range(len(self.sizes)))

    @cached_property
    def renewable(self) -> tuple[bool, ...]:
        """Whether each value can be made again."""
        found = {value for task in self.tasks if task.again for value in task.second.outputs}
        return tuple(value in found for value in range(len(self.sizes)))

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
        return Tables(self.tasks, self.sizes, self.reserved, self.results, self.dropped,
                      self.renewable)

    @property
    def everything(self) -> Schedule:
        """The schedule that keeps every value."""
        return tuple(range(len(self.tasks)))

    def seconds(self, schedule: Schedule | Ints) -> float:
        """Time of all tasks of a schedule, each of which runs at least once."""
        tables, count = self.tables, np.bincount(schedule, minlength=len(self.tasks))
        first, second = tables.seconds[:count.size], tables.seconds[count.size:]
        return float(first.sum() + (second * (count - 1)).sum())


def build_problem(graph: Graph, steps: Sequence[Step], rates: Rates = ONE_THREAD) -> Problem:
    """The problem that a graph with its kernels is, with a machine's rates for so many threads.

    Raises ValueError for a value that was to be dropped and cannot be.
    """
    number: dict[Tensor, int] = {}
    for node in graph.nodes:
        for tensor in node.outputs:
            number[tensor] = len(number)
    read_at_end = {t for node in graph.nodes[graph.first_update:] for t in node.inputs}
    kept = read_at_end | set(graph.outputs)
    tasks = []
    for position, step in enumerate(steps):
        task = _task(step, number, rates)
        if (position < graph.forward_nodes and step.node.op.replayable
                and step.node.origin.pin != "keep"):
            task = _with_second(task, step.node, number, kept, rates)
        tasks.append(task)
    sizes = tuple(max(tensor.bytes, 1) for tensor in number)
    renewable = {tensor for node, task in zip(graph.nodes, tasks, strict=True) if task.again
                 for tensor in node.outputs[:len(task.second.outputs)]}
    return Problem(tuple(tasks), sizes, tuple(map(reserved_bytes, sizes)), graph.forward_nodes,
                   frozenset(number[t] for t in graph.outputs if t in number),
                   frozenset(number[t] for t in dropped(graph, kept, renewable)))


def _task(step: Step, number: Mapping[Tensor, int], rates: Rates) -> Task:
    node = step.node
    viewed = node.op.view_of(node)
    workspace, seconds = reserved_bytes(step.workspace_bytes), rates.node_seconds(node)
    spare = workspace and workspace - reserved_bytes(step.workspace_of(1))
    return Task(
        inputs=tuple(number[t] for t in node.inputs if t in number),
        outputs=tuple(number[t] for t in node.outputs),
        seconds=seconds,
        workspace=workspace,
        view=None if viewed is None else number.get(node.inputs[viewed], LEAF),
        over=tuple(number[node.inputs[i]] for i in node.op.overwrites(node)
                   if node.inputs[i] in number),
        spare=max(spare, 0),
        slower=rates.single_thread_seconds(node) - seconds if spare > 0 else 0.0)


def _with_second(
    task: Task, node: Node, number: dict[Tensor, int], kept: set[Tensor], rates: Rates
) -> Task:
    """The task with what its second run is, if it may have one."""
    second = node.again(node.inputs)
    same = dict(zip(second.outputs, node.outputs, strict=False))
    made = sum(tensor.bytes for tensor in same)
    read = sum(t.bytes for t in node.inputs if not isinstance(t.node.op, Leaf))
    wanted = made >= REDUCTION * read or node.origin.pin == "drop"
    if not same or not wanted or not kept.isdisjoint(same.values()):
        return task
    if second.op == node.op:
        return replace(task, again=True)
    numbers = ChainMap({new: number[old] for new, old in same.items()}, number)
    return replace(task, again=True,
                   shorter=_task(step_of(second, rates.threads), numbers, rates))

"""The graph as the recomputation planner sees it: numbered tasks and values, bytes and seconds.

A task is a node, and a value is one of its outputs. Leaves (parameters, the batch) are left out.
A schedule is a sequence of task numbers: every task once, in the order of the graph, and some
forward tasks a second time where the backward pass recomputes their values. A reader always reads
the latest instance of a value. A recomputation may do less than the first run: a convolution that
sums batch statistics as it writes does not sum them a second time.
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

# A value smaller than this share of its inputs is never recomputed: recomputing it would hold the
# inputs to save almost nothing. So batch norm always uses the statistics of the first pass.
REDUCTION = 1 / 16
ONE_THREAD = fixed_rates(1)


@dataclass(frozen=True)
class Task:
    """One node: the values it reads and writes, its seconds and its workspace in bytes.

    view: the value whose memory its output shares, or LEAF. over: values whose memory its first
    output may reuse. recomputable: whether it may run a second time. shorter: the task that then
    runs, if it does less (the same inputs, only the first outputs). spare: bytes of workspace
    saved by running on one thread; slower: the seconds that this costs.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    seconds: float
    workspace: int = 0
    view: int | None = None
    over: tuple[int, ...] = ()
    recomputable: bool = False
    shorter: Task | None = None
    spare: int = 0
    slower: float = 0.0

    @property
    def recomputed(self) -> Task:
        """The task as it runs every time but the first."""
        return self.shorter or self


@dataclass(frozen=True)
class Problem:
    """Tasks in order, of which the first `forward` are the forward pass.

    sizes: bytes of each value; reserved: the bytes it takes in the arena. results: values kept
    until the end. dropped: values that the backward pass must recompute.
    """

    tasks: tuple[Task, ...]
    sizes: tuple[int, ...]
    reserved: tuple[int, ...]
    forward: int
    results: frozenset[int] = frozenset()
    dropped: frozenset[int] = frozenset()

    @cached_property
    def producer(self) -> tuple[int, ...]:
        """The task that computes each value."""
        made = {value: number for number, task in enumerate(self.tasks) for value in task.outputs}
        return tuple(made[value] for value in range(len(self.sizes)))

    @cached_property
    def recomputable(self) -> tuple[bool, ...]:
        """Whether each value can be recomputed."""
        found = {value for task in self.tasks if task.recomputable
                 for value in task.recomputed.outputs}
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
        """The problem as arrays."""
        return Tables(self.tasks, self.sizes, self.reserved, self.results, self.dropped,
                      self.recomputable)

    @property
    def everything(self) -> Schedule:
        """The schedule that keeps every value."""
        return tuple(range(len(self.tasks)))

    def seconds(self, schedule: Schedule | Ints) -> float:
        """Time of a schedule, in which each task runs at least once."""
        tables, count = self.tables, np.bincount(schedule, minlength=len(self.tasks))
        first, second = tables.seconds[:count.size], tables.seconds[count.size:]
        return float(first.sum() + (second * (count - 1)).sum())


def build_problem(graph: Graph, steps: Sequence[Step], rates: Rates = ONE_THREAD) -> Problem:
    """The problem of a graph, from its kernels and a machine's rates.

    Raises ValueError if a value marked with `drop` cannot be recomputed.
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
            task = _with_recomputation(task, step.node, number, kept, rates)
        tasks.append(task)
    sizes = tuple(max(tensor.bytes, 1) for tensor in number)
    recomputable = {tensor for node, task in zip(graph.nodes, tasks, strict=True)
                    if task.recomputable
                    for tensor in node.outputs[:len(task.recomputed.outputs)]}
    return Problem(tuple(tasks), sizes, tuple(map(reserved_bytes, sizes)), graph.forward_nodes,
                   frozenset(number[t] for t in graph.outputs if t in number),
                   frozenset(number[t] for t in dropped(graph, kept, recomputable)))


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


def _with_recomputation(
    task: Task, node: Node, number: dict[Tensor, int], kept: set[Tensor], rates: Rates
) -> Task:
    """The task, marked as recomputable if recomputing it is possible and worthwhile."""
    recomputed = node.recomputed(node.inputs)
    same = dict(zip(recomputed.outputs, node.outputs, strict=False))
    made = sum(tensor.bytes for tensor in same)
    read = sum(t.bytes for t in node.inputs if not isinstance(t.node.op, Leaf))
    wanted = made >= REDUCTION * read or node.origin.pin == "drop"
    if not same or not wanted or not kept.isdisjoint(same.values()):
        return task
    if recomputed.op == node.op:
        return replace(task, recomputable=True)
    numbers = ChainMap({new: number[old] for new, old in same.items()}, number)
    return replace(task, recomputable=True,
                   shorter=_task(step_of(recomputed, rates.threads), numbers, rates))

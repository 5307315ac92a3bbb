"""The result of planning: every step with its kernels and places, frozen; printable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from fastnn.graph import Call, Graph, Tensor
from fastnn.ops.convolution import Convolution
from fastnn.ops.function import PythonOp
from fastnn.ops.sum_of_squares import SumOfSquares
from fastnn.plan.budget import GROWTH, RUNNING, format_bytes
from fastnn.plan.cost.rates import machine_rates
from fastnn.plan.memory.layout import Layout
from fastnn.plan.select import Step
from fastnn.runtime.executor import Place, PlacedCall
from fastnn.runtime.process_memory import give_back, resident_bytes


@dataclass(frozen=True)
class Plan:
    """What a step will do: its steps in order, memory, recomputations, and a predicted time.

    recomputed_steps: positions of the steps that recompute a node of the forward pass.
    `baseline_bytes` is what the process held when the plan was made, with parameters and the
    optimizer's state. `peak_bytes` adds the arena, `beside` (the next batch, and copies of this
    one's results) and `running` (what else a first step takes). `growth`: what the process may
    gain until another plan is made.
    """

    graph: Graph
    steps: tuple[Step, ...]
    layout: Layout
    threads: int
    recomputed_steps: tuple[int, ...]
    baseline_bytes: int
    smallest_arena: Callable[[], int]
    packed: Callable[[], list[tuple[int, float]]] = list
    beside: int = 0
    running: int = RUNNING
    growth: int = GROWTH

    @property
    def recomputed(self) -> tuple[str, ...]:
        """"layer:operation" of every recomputed step."""
        nodes = [self.steps[i].node for i in self.recomputed_steps]
        return tuple(f"{node.scope}:{node.op.name}" for node in nodes)

    @property
    def single_threaded(self) -> frozenset[int]:
        """Positions of the steps that run on one thread, for a smaller workspace."""
        return frozenset(i for i, step in enumerate(self.steps) if step.threads < self.threads)

    @property
    def peak_bytes(self) -> int:
        return self.baseline_bytes + self.layout.arena_bytes + self.beside + self.running

    @cached_property
    def min_bytes(self) -> int:
        """The smallest memory budget that has a plan, with the memory that this search takes."""
        before = resident_bytes()
        arena = self.smallest_arena()
        give_back()
        searched = max(0, resident_bytes() - before)
        return (self.baseline_bytes + searched + arena + self.beside + self.running
                + self.growth)

    def frontier(self) -> list[tuple[int, float]]:
        """(bytes of the process, predicted seconds of a step): what each budget costs.

        From the least memory to the least time. A budget between two points gets the smaller one.
        """
        held = self.baseline_bytes + self.beside + self.running
        return [(held + arena, time) for arena, time in self.packed()]

    @property
    def seconds(self) -> float:
        """Predicted time of one step on this machine; the first prediction measures its rates."""
        nodes = (step.node for step in self.steps)
        return machine_rates(self.threads).seconds(nodes, self.single_threaded)

    def place(self, tensor: Tensor) -> Place:
        """Where a tensor lies in memory."""
        if tensor in self.layout.leaves:
            return Place(self.layout.leaves[tensor], 0, tensor.bytes)
        storage = self.layout.storages[tensor]
        return Place(None, storage.offset, storage.bytes)

    def calls(self) -> tuple[list[PlacedCall], int]:
        """The flat list of kernel calls, and how many come before state changes."""
        result: list[PlacedCall] = []
        split = 0
        for i, step in enumerate(self.steps):
            result.extend(self._placed(call, size, step, i)
                          for call, size in zip(step.calls, step.scratch, strict=True))
            split = len(result) if i < self.graph.first_update else split
        return result, split

    def _placed(self, call: Call, scratch: int | None, step: Step, i: int) -> PlacedCall:
        buffers = tuple(None if tensor is None else self.place(tensor) for tensor in call.buffers)
        op = step.node.op
        if isinstance(op, PythonOp):
            tensors = (*step.node.inputs, *step.node.outputs)
            return PlacedCall(call.kernel, buffers, step.threads, python=op.run, tensors=tensors,
                              outputs=len(step.node.outputs))
        if scratch is not None:
            start = self.layout.workspaces[i].offset if scratch else 0
            buffers = (*buffers, Place(None, start, scratch))
        return PlacedCall(call.kernel, buffers, step.threads, call.d, call.s)

    def __str__(self) -> str:
        live = [self.layout.live_bytes(i) for i in range(len(self.steps))]
        peak = max(range(len(live)), key=live.__getitem__, default=0)
        rows = []
        recomputed = set(self.recomputed_steps)
        for i, step in enumerate(self.steps):
            node = step.node
            shape = "x".join(map(str, node.outputs[0].shape)) if node.outputs else "-"
            part = ("check" if isinstance(node.op, SumOfSquares) else
                    "recompute" if i in recomputed else
                    "forward" if i < self.graph.forward_nodes else
                    "backward" if i < self.graph.first_update else "update")
            kernels = ",".join(call.kernel for call in step.calls) or "(view)"
            way = node.op.way if isinstance(node.op, Convolution) else "-"
            mark = "  one thread" if step.threads < self.threads else ""
            mark += "  <- peak" if i == peak else ""
            rows.append(f"{i:4d} {part:9s} {node.scope or '-':24s} {node.op.name:24s} {shape:18s} "
                        f"{kernels:28s} {way:10s} {format_bytes(live[i]):>10s}{mark}")
        head = (f"plan: {len(self.steps)} steps, {self.threads} thread(s), "
                f"predicted {self.seconds * 1e3:.2f} ms\n"
                f"bytes: baseline {format_bytes(self.baseline_bytes)}, "
                f"arena {format_bytes(self.layout.arena_bytes)}, "
                f"batch {format_bytes(self.beside)}, peak {format_bytes(self.peak_bytes)}\n"
                f"recomputed: {len(self.recomputed)} value(s)\n"
                f"{'':4s} {'part':9s} {'layer':24s} {'operation':24s} {'shape':18s} "
                f"{'kernels':28s} {'way':10s} {'live':>10s}")
        return "\n".join([head, *rows])

"""Gradient accumulation: the gradients of micro-batches are added up, then one update follows.

Micro-batches run one after the other in the same memory, beside one sum for each parameter. A
gradient is added to its sum as soon as it is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastnn.engine.compiled import Compiled, named_from
from fastnn.engine.finite import check_changes, checks, finite_loss
from fastnn.engine.inputs import specs_of
from fastnn.engine.loss_graph import (
    held,
    loss_graph,
    optimizer_nodes,
    trained,
    trained_gradients,
)
from fastnn.engine.micro_batches import MicroBatchPlans, examples_in, sizes, split
from fastnn.engine.nesting import flat
from fastnn.engine.plan_cache import PlanCache
from fastnn.engine.weighing import Weighing, shares, weighing
from fastnn.graph import Graph, Node, Tensor, leaf
from fastnn.nn.module import Module
from fastnn.nn.parameter import values_change
from fastnn.ops.accumulate import Accumulate, accumulate
from fastnn.ops.batch_norm import BatchNormStats
from fastnn.ops.loss_part import parts_of
from fastnn.optim.optimizer import Optimizer
from fastnn.plan.budget import Allowance
from fastnn.plan.plan import Plan
from fastnn.runtime.executor import leaf_memory
from fastnn.runtime.random import get_rng_state, set_rng_state
from fastnn.runtime.shared import free_arena
from fastnn.spec import Spec


class GradientAccumulation:
    """Training steps whose batches are split into micro-batches.

    modes: what plans depend on besides shapes. advance: begins the optimizers' step. square: the
    memory of the sum of the gradients' squares. `allowance`: what the process may hold, or None.
    `outputs`: the model's for each micro-batch of the last step (with keep_output). `parts`: those
    of the last loss, by name.
    """

    def __init__(
        self, model: Module, loss: Any, optimizers: Sequence[Optimizer], layout: str,
        keep_output: bool, modes: Callable[[], tuple[bool, ...]], advance: Callable[[], None],
        square: np.ndarray,
    ) -> None:
        self.model, self.loss, self.optimizers = model, loss, optimizers
        self.layout, self.keep_output = layout, keep_output
        self._advance, self._square = advance, square
        self.allowance: Allowance | None = None
        self.outputs: list[list[np.ndarray]] = []
        self.nesting: Any = ()  # of the outputs
        self.parts: dict[str, float] = {}
        self.weighing = Weighing(loss)
        self._plans, self._updates = MicroBatchPlans(self._make, modes), PlanCache(modes)
        self._warned = False
        self._share = np.ones(1, np.float32)
        self._sums: dict[Tensor, Tensor] = {}  # one for each parameter

    def begin(self, allowance: Allowance | None) -> None:
        """Begin a step, or to plan one: with what the process may hold, a sum for each parameter.

        Optimizers may have got further parameters since the last one.
        """
        self.allowance = allowance
        for parameter in held(self.optimizers):
            tensor = parameter.__tensor__()
            if tensor not in self._sums:
                self._sums[tensor] = leaf("buffer", parameter.zeros(), Spec(parameter.shape))

    def fit(self, specs: Any, count: int) -> bool:
        """Whether `count` micro-batches fit the budget."""
        return self._plans.fit(specs, count, self.allowance)

    def plan(self, specs: Any, count: int) -> Plan:
        """The plan of the largest of `count` micro-batches; MemoryBudgetError unless all fit.

        Raises ShapeError if they are too small for the net, or if the batch cannot be split.
        """
        return self._plans.all(specs, count, self.allowance)[0].plan

    def fewest(self, specs: Any) -> int:
        """The fewest micro-batches that fit the budget; MemoryBudgetError if none do."""
        self._updates.get(self._places(trained(self.optimizers)), self._make_update)
        return self._plans.fewest(specs, self.allowance)

    def step(self, values: tuple[Any, Any], count: int) -> float:
        """Update the parameters from a batch in `count` micro-batches, and return its loss.

        After an error nothing has changed.
        """
        specs, micro_batches = specs_of(values), split(values, count)
        total, outputs, summed = 0.0, list[list[np.ndarray]](), set[Tensor]()
        self.parts = {}
        if not self._warned:
            self._warn(specs, count)
        for sum_ in self._sums.values():
            leaf_memory(sum_)[...] = 0
        with self._all_or_nothing():
            # How the loss weighs targets is known only from a traced graph.
            self._plans.get(specs, examples_in(micro_batches[0]), self.allowance)
            weights = [self.weighing.weight(y, x) for x, y in micro_batches]
            for micro_batch, share in zip(micro_batches, shares(weights), strict=True):
                compiled = self._plans.get(specs, examples_in(micro_batch), self.allowance)
                loss, output = self._add(compiled, micro_batch, share)
                total += loss
                outputs += [output] if self.keep_output else []
                summed |= self._reached(compiled.graph)
            update = self._updates.get(self._places(summed), self._make_update)
            update.run(partial(check_changes, self.model, self.loss), self._advance)
        self.outputs = outputs
        return total

    def _warn(self, specs: Any, count: int) -> None:
        """Warn once if batch norm takes its statistics from micro-batches."""
        examples = sizes(examples_in(specs), count)
        compiled = self._plans.get(specs, examples[0], self.allowance)
        self._warned = count > 1 and any(
            isinstance(node.op, BatchNormStats) for node in compiled.graph.nodes)
        if self._warned:
            warnings.warn(
                f"a batch of {sum(examples)} is computed in {count} micro-batches: batch norm "
                f"takes its statistics from {examples[0]} examples at a time and updates its "
                f"running statistics {count} times, so results differ from those of the whole "
                "batch", stacklevel=4)

    def _add(
        self, compiled: Compiled, micro_batch: tuple[Any, Any], share: float
    ) -> tuple[float, list[np.ndarray]]:
        """Add a micro-batch's gradients to the sums; returns (share of the loss, kept outputs)."""
        compiled.bind(flat(micro_batch))
        if share == 0:  # none of its targets counts: its mean would be NaN
            return 0.0, [np.zeros(t.shape, t.dtype) for t in flat(compiled.nesting)]
        self._share[:] = share
        loss, output, parts = compiled.run(self._loss_and_output)
        for name, value in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + share * value
        compiled.executor.release_inputs()
        return share * loss, output

    def _loss_and_output(
        self, compiled: Compiled
    ) -> tuple[float, list[np.ndarray], dict[str, float]]:
        loss = finite_loss(self.model, self.loss, compiled)
        places = range(1, 1 + len(flat(compiled.nesting))) if self.keep_output else ()
        return loss, [compiled.read(place) for place in places], compiled.part_values()

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Inside, an error restores running statistics and the random state."""
        modules = [each for each in (self.model, self.loss) if isinstance(each, Module)]
        buffers = [(buffer.memory, buffer.memory.copy()) for module in modules
                   for _, buffer in module.named_buffers()]
        state = get_rng_state()
        try:
            yield
        except BaseException:
            for memory, before in buffers:
                memory[...] = before
            values_change()
            set_rng_state(state)
            raise

    def _make(self, whole: Any, specs: Any, limit: Allowance | None) -> Compiled:
        x, y = specs
        inputs, outputs, loss, updates = loss_graph(self.model, self.loss, x, y, self.layout)
        self.weighing = weighing(self.loss, loss, inputs[len(inputs) - len(flat(y)):])
        seed = leaf("buffer", self._share.reshape(loss.shape), loss.spec)
        grads = trained_gradients(self.model, self.loss, self.optimizers, loss, seed)
        sums = [accumulate(self._sums[parameter], grad) for parameter, grad in grads.items()]
        self.nesting = kept = outputs if self.keep_output else ()
        if limit is not None:  # the outputs of all micro-batches, and their concatenation
            share = examples_in(whole) / examples_in(specs)
            joined = 2 * share * sum(tensor.bytes for tensor in flat(kept))
            batch = sum(spec.bytes for spec in flat(specs))
            limit = Allowance(limit.limit, limit.beside(batch) + int(joined))
        parts = parts_of([loss])
        results = (loss, *flat(kept), *parts.values(), *sums, *checks({}, updates))
        graph = Graph.trace(inputs, results, updates, [loss, *flat(outputs)])
        return Compiled(_added_early(graph), limit, specs, kept, free_arena(),
                        named=named_from(1 + len(flat(kept)), parts))

    def _make_update(self, places: Any) -> Compiled:
        parameters = list(self._sums)
        sums = {parameters[place]: self._sums[parameters[place]] for place in places}
        graph = Graph.trace((), checks(sums, (), self._square),
                            optimizer_nodes(self.optimizers, sums))
        return Compiled(graph, arena=free_arena())

    def _reached(self, graph: Graph) -> set[Tensor]:
        """The parameters that a micro-batch's loss depends on, to whose sums it adds."""
        sums = {node.inputs[0] for node in graph.nodes if isinstance(node.op, Accumulate)}
        return {parameter for parameter, total in self._sums.items() if total in sums}

    def _places(self, parameters: Iterable[Tensor]) -> tuple[int, ...]:
        """The positions of these parameters among all of the optimizer's."""
        chosen = set(parameters)
        return tuple(i for i, parameter in enumerate(self._sums) if parameter in chosen)


def _added_early(graph: Graph) -> Graph:
    """The graph with each gradient added to its sum right after it is made."""
    adding: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Accumulate):
            adding.setdefault(node.inputs[1].node, []).append(node)
    early = {each for made in graph.nodes for each in adding.get(made, ())}  # else: of a leaf
    return replace(graph, nodes=tuple(
        each for node in graph.nodes if node not in early
        for each in (node, *adding.get(node, ()))))

"""A batch in parts: the gradients of micro-batches are added up, then one update follows.

The parts run one after the other in the same memory, beside one sum for each parameter, to which
a gradient is added as soon as it is known.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastnn.engine.compiled import Compiled
from fastnn.engine.finite import check_changes, checks, finite_loss
from fastnn.engine.inputs import specs_of
from fastnn.engine.loss_graph import loss_graph, optimizer_nodes, trained, trained_gradients
from fastnn.engine.micro_batches import Parts, examples_in, pieces, sizes
from fastnn.engine.nesting import flat
from fastnn.engine.plan_cache import PlanCache
from fastnn.engine.weighing import Weighing, shares, weighing
from fastnn.graph import Graph, Node, Spec, Tensor, leaf
from fastnn.nn.module import Module
from fastnn.ops.accumulate import Accumulate, accumulate
from fastnn.ops.batch_norm import BatchNormStats
from fastnn.plan.budget import Allowance
from fastnn.plan.plan import Plan
from fastnn.runtime.executor import leaf_memory
from fastnn.runtime.random import get_rng_state, set_rng_state
from fastnn.runtime.shared import free_arena


class MicroBatches:
    """Steps of training whose batches are cut into parts.

    modes: what plans depend on beside shapes. `allowance`: what the process may hold, or None.
    """

    def __init__(
        self, model: Module, loss: Any, optimizer: Any, layout: str, keep_output: bool,
        modes: Callable[[], tuple[bool, ...]],
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.layout, self.keep_output = layout, keep_output
        self.allowance: Allowance | None = None
        self.outputs: list[np.ndarray] = []
        self.weighing = Weighing(loss)
        self._parts, self._updates = Parts(self._make, modes), PlanCache(modes)
        self._warned = False
        self._share = np.ones(1, np.float32)
        self._sums: dict[Tensor, Tensor] = {}  # of each parameter
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                self._sums[parameter.__tensor__()] = leaf(
                    "buffer", parameter.zeros(), Spec(parameter.shape))

    def fits(self, specs: Any, parts: int) -> bool:
        """Whether every part of a batch fits the budget."""
        return self._parts.fit(specs, parts, self.allowance)

    def plan(self, specs: Any, parts: int) -> Plan:
        """The plan of the largest part; MemoryBudgetError unless all parts fit.

        Raises ShapeError for parts that are too small for the net, or a batch that has no parts.
        """
        return self._parts.all(specs, parts, self.allowance)[0].plan

    def fewest(self, specs: Any) -> int:
        """The fewest parts that fit the budget; MemoryBudgetError if none do."""
        self._updates.get(self._places(trained(self.optimizer)), self._make_update)
        return self._parts.fewest(specs, self.allowance)

    def step(self, values: tuple[Any, Any], parts: int) -> float:
        """Loss of a batch, and the update that follows from it. On an error nothing has changed."""
        specs, cut = specs_of(values), pieces(values, parts)
        total, outputs, summed = 0.0, list[np.ndarray](), set[Tensor]()
        if not self._warned:
            self._warn(specs, parts)
        for sum_ in self._sums.values():
            leaf_memory(sum_)[...] = 0
        with self._all_or_nothing():
            # Tracing a part tells how parts weigh.
            self._parts.get(specs, examples_in(cut[0]), self.allowance)
            weights = [self.weighing.weight(y) for _, y in cut]
            for piece, share in zip(cut, shares(weights), strict=True):
                compiled = self._parts.get(specs, examples_in(piece), self.allowance)
                loss, output = self._add(compiled, piece, share)
                total += loss
                outputs += output
                summed |= self._reached(compiled.graph)
            update = self._updates.get(self._places(summed), self._make_update)
            update.run(partial(check_changes, self.model, self.loss), self.optimizer.advance)
        self.outputs = outputs
        return total

    def _warn(self, specs: Any, parts: int) -> None:
        """Say it once if batch norm takes its statistics from parts."""
        counts = sizes(examples_in(specs), parts)
        made = self._parts.get(specs, counts[0], self.allowance)
        self._warned = parts > 1 and any(
            isinstance(node.op, BatchNormStats) for node in made.graph.nodes)
        if self._warned:
            warnings.warn(
                f"a batch of {sum(counts)} is computed in {parts} parts: batch norm takes its "
                f"statistics from {counts[0]} examples at a time, and its running ones move "
                f"{parts} times, so that results differ from those of the whole batch",
                stacklevel=4)

    def _add(
        self, compiled: Compiled, piece: tuple[Any, Any], share: float
    ) -> tuple[float, list[np.ndarray]]:
        """Add the gradients of one part to the sums; (its share of the loss, its kept outputs)."""
        compiled.bind(flat(piece))
        if share == 0:  # nothing of it counts, and a mean over nothing is no number
            return 0.0, [np.zeros(t.shape, t.dtype) for t in compiled.graph.outputs[1:2]
                         if self.keep_output]
        self._share[:] = share
        loss = compiled.run(partial(finite_loss, self.model, self.loss))
        output = [compiled.read(1)] if self.keep_output else []
        compiled.executor.release_inputs()
        return share * loss, output

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Running statistics and the random state are put back after an error."""
        modules = [part for part in (self.model, self.loss) if isinstance(part, Module)]
        buffers = [(buffer.memory, buffer.memory.copy()) for part in modules
                   for _, buffer in part.named_buffers()]
        state = get_rng_state()
        try:
            yield
        except BaseException:
            for memory, before in buffers:
                memory[...] = before
            set_rng_state(state)
            raise

    def _make(self, whole: Any, specs: Any, limit: Allowance | None) -> Compiled:
        x, y = specs
        inputs, outputs, loss, updates = loss_graph(self.model, self.loss, x, y, self.layout)
        self.weighing = weighing(self.loss, loss, inputs[len(inputs) - len(flat(y)):])
        seed = leaf("buffer", self._share.reshape(loss.shape), loss.spec)
        grads = trained_gradients(self.model, self.loss, self.optimizer, loss, seed)
        sums = [accumulate(self._sums[parameter], grad) for parameter, grad in grads.items()]
        kept = outputs if self.keep_output else ()
        if limit is not None:  # outputs of all parts, and what they are joined to
            share = examples_in(whole) / examples_in(specs)
            joined = 2 * share * sum(tensor.bytes for tensor in kept)
            batch = sum(spec.bytes for spec in flat(specs))
            limit = Allowance(limit.limit, limit.beside(batch) + int(joined))
        results = (loss, *kept, *sums, *checks({}, updates))
        graph = Graph.trace(inputs, results, updates, [loss, *outputs])
        return Compiled(_added_early(graph), limit, specs, arena=free_arena())

    def _make_update(self, places: Any) -> Compiled:
        parameters = list(self._sums)
        sums = {parameters[place]: self._sums[parameters[place]] for place in places}
        graph = Graph.trace((), checks(sums, ()), optimizer_nodes(self.optimizer, sums))
        return Compiled(graph, arena=free_arena())

    def _reached(self, graph: Graph) -> set[Tensor]:
        """The parameters to whose sums a part adds: those that its loss depends on."""
        sums = {node.inputs[0] for node in graph.nodes if isinstance(node.op, Accumulate)}
        return {parameter for parameter, total in self._sums.items() if total in sums}

    def _places(self, parameters: Iterable[Tensor]) -> tuple[int, ...]:
        """Where these are among all of the optimizer's."""
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

"""A module called with arrays: by one plan, or in parts where a budget has no room for that.

Parts have the bits of the whole, so only what computes each example on its own is cut, and
convolutions take the algorithm that they have for the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn.engine.compiled import Compiled
from fastnn.engine.finite import check_changes, checks
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.loss_value import as_result
from fastnn.engine.memory_limit import memory_limit
from fastnn.engine.micro_batches import Parts, examples_in, pieces, resized
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache, modes
from fastnn.engine.trace import Traced, trace
from fastnn.graph import Graph, ShapeError, Spec
from fastnn.nn.module import Module, set_runner
from fastnn.nn.parameter import versions
from fastnn.ops.examples import by_example, same_but_for_size
from fastnn.ops.part import as_part_of
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.runtime.shared import free_arena
from fastnn.runtime.turns import turn

CUTS_KEPT = 8  # batches of which it is known in how many parts they fit


def _graph(traced: Traced) -> Graph:
    results = (*flat(traced.output), *checks({}, traced.updates))
    return Graph.trace(traced.inputs, results, traced.updates, results)


class Inference:
    """Outputs of one module."""

    def __init__(self, model: Module) -> None:
        self._model = ref(model)  # plans know no module
        self._cache = PlanCache(self._modes)
        self._parts = Parts(self._make_part, self._modes)
        # Parts of batches that did not fit, by structure, specs and budget.
        self._cuts: dict[Any, int] = {}

    def __call__(self, inputs: tuple[Any, ...], budget: Allowance | None) -> Any:
        names = [f"input {i}" for i in range(len(inputs))]
        if budget is None:
            return self._whole(inputs, names, budget)
        arrays = tuple(map(as_inputs, inputs, names))
        specs = specs_of(arrays)
        key = versions()[0], specs, budget
        parts = self._cuts.get(key)
        if parts is None:
            try:
                return self._whole(arrays, names, budget, inputs)
            except MemoryBudgetError:
                if not self._can_be_cut(specs):
                    raise
        results = self._results(specs)  # plans count it
        if parts is None or not self._parts.fit(specs, parts, budget):
            parts = self._cuts[key] = self._parts.fewest(specs, budget)
        while len(self._cuts) > CUTS_KEPT:
            del self._cuts[next(iter(self._cuts))]
        return self._in_parts(arrays, specs, parts, budget, results)

    def prepare(self, specs: tuple[Spec, ...]) -> None:
        """Make the plan for inputs of these specs, or those for their parts, without running it.

        Raises MemoryBudgetError.
        """
        budget = memory_limit()
        try:
            self._cache.get(specs, self._make, budget)
        except MemoryBudgetError:
            if not self._can_be_cut(specs):
                raise
            self._cuts[versions()[0], specs, budget] = self._parts.fewest(specs, budget)

    def _modes(self) -> tuple[bool, ...]:
        return modes(self._model())

    def _trace(self, specs: Any) -> Traced:
        return trace(self._model(), specs)

    def _whole(
        self, inputs: tuple[Any, ...], names: list[str], budget: Allowance | None,
        given: tuple[Any, ...] | None = None,
    ) -> Any:
        compiled = self._cache.bind(inputs, names, self._make, budget, given)
        compiled.run(self._check_statistics)
        outputs = range(len(flat(compiled.nesting)))
        results = [as_result(compiled.read(i)) for i in outputs]
        compiled.executor.release_inputs()  # after that: an output may be an input's memory
        return like(compiled.nesting, results)

    def _check_statistics(self, compiled: Compiled) -> None:
        model = self._model()
        assert model is not None
        check_changes(model, None, compiled)

    def _make(self, specs: tuple[Any, ...]) -> Compiled:
        traced = self._trace(specs)
        return Compiled(_graph(traced), memory_limit(), specs, traced.output, free_arena())

    def _can_be_cut(self, specs: Any) -> bool:
        """Whether the model is in use, and computes each example alone whatever their number."""
        model = self._model()
        assert model is not None
        if any(part.training for part in model.modules()):
            return False
        try:
            examples = examples_in(specs)
            half = examples // 2
            graph, smaller = (_graph(self._trace(resized(specs, count)))
                              for count in (examples, half))
        except ShapeError:
            return False
        return half > 0 and by_example(graph, examples) and (
            same_but_for_size(graph, examples, smaller, half))

    def _results(self, specs: Any) -> list[np.ndarray]:
        """Memory for the outputs, touched so that plans count it."""
        outputs = flat(self._trace(specs).output)
        return [np.full(tensor.shape, 0, tensor.dtype) for tensor in outputs]

    def _in_parts(
        self, arrays: tuple[Any, ...], specs: Any, parts: int, limit: Allowance,
        results: list[np.ndarray] | None = None,
    ) -> Any:
        results = self._results(specs) if results is None else results
        done = 0
        for piece in pieces(arrays, parts):
            count = examples_in(piece)
            compiled = self._parts.get(specs, count, limit)
            compiled.bind(flat(piece))
            compiled.compute()
            for i, result in enumerate(results):
                result[done:done + count] = compiled.read(i)
            compiled.executor.release_inputs()
            done += count
        return like(compiled.nesting, results)

    def _make_part(self, whole: Any, specs: Any, limit: Allowance | None) -> Compiled:
        traced = self._trace(specs)
        with as_part_of(examples_in(whole), examples_in(specs)):
            return Compiled(_graph(traced), limit, specs, traced.output, free_arena())


_known: WeakKeyDictionary[Module, Inference] = WeakKeyDictionary()


def inference_of(model: Module) -> Inference:
    """What computes a module's outputs."""
    if model not in _known:
        _known[model] = Inference(model)
    return _known[model]


def run_module(model: Module, inputs: Sequence[Any]) -> Any:
    """The output of a module for arrays; in training mode, running statistics move.

    Any Python thread may call it: threads take turns.
    """
    with turn:
        return inference_of(model)(tuple(inputs), memory_limit())


set_runner(run_module)

"""A module called with arrays: the whole batch by one plan, or micro-batches that fit a budget.

Micro-batches give the bits of the whole batch. So they are used only for models that compute each
example independently, and convolutions use the algorithm of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn.engine.by_example import by_example, same_but_for_size
from fastnn.engine.compiled import Compiled
from fastnn.engine.finite import check_changes, checks
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.lane_turns import AllInUseError, give_up
from fastnn.engine.loss_value import as_result
from fastnn.engine.memory_limit import may_take, memory_limit
from fastnn.engine.micro_batches import MicroBatchPlans, examples_in, resized, split
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache, modes, settings_of
from fastnn.engine.side_by_side import run_beside
from fastnn.engine.trace import Traced, trace
from fastnn.graph import Graph
from fastnn.nn.module import Module
from fastnn.nn.parameter import versions
from fastnn.ops.micro_batch import as_micro_batch_of
from fastnn.plan.budget import Allowance, MemoryBudgetError
from fastnn.plan.fusion.fold import fold_norms
from fastnn.runtime.locks import beside, process_lock
from fastnn.runtime.shared import free_arena
from fastnn.runtime.threads import get_num_threads
from fastnn.spec import ShapeError, Spec

SPLITS_KEPT = 8  # batches whose number of micro-batches is remembered


def _names(inputs: tuple[Any, ...]) -> list[str]:
    return [f"input {i}" for i in range(len(inputs))]


def _outputs(compiled: Compiled) -> list[np.ndarray]:
    return [compiled.read(i) for i in range(len(flat(compiled.nesting)))]


class Inference:
    """Computes the outputs of one module."""

    def __init__(self, model: Module) -> None:
        self._model = ref(model)  # plans do not keep the module alive
        self._cache = PlanCache(self._modes)
        self._plans = MicroBatchPlans(self._make_micro_batch, self._modes)
        # The number of micro-batches of batches that did not fit, by structure, specs and budget.
        self._splits: dict[Any, int] = {}

    def beside(self, inputs: tuple[Any, ...], budget: Allowance | None) -> Any:
        """The outputs, computed beside other inferences; None if that cannot be.

        It can if kernels use one thread, the plan is made and changes no state, and it fits the
        budget. The caller has `process_lock` by `with beside`; afterwards no longer, except if
        None is returned. Raises AllInUseError.
        """
        settings = settings_of(budget)
        if settings[1] != 1:
            return None
        compiled = self._cache.latest(settings)
        results = None if compiled is None else run_beside(compiled, inputs, budget)
        if results is None and (compiled is None or compiled.may_run_beside):
            arrays = tuple(map(as_inputs, inputs, _names(inputs)))
            compiled = self._cache.kept(specs_of(arrays), settings)
            results = None if compiled is None else run_beside(compiled, arrays, budget)
        if compiled is None or results is None:
            return None
        return self._nested(compiled, [as_result(result) for result in results])

    def __call__(self, inputs: tuple[Any, ...], budget: Allowance | None) -> Any:
        names = _names(inputs)
        if budget is None:
            return self._whole(inputs, names, budget)
        arrays = tuple(map(as_inputs, inputs, names))
        specs = specs_of(arrays)
        key = versions()[0], specs, budget
        count = self._splits.get(key)
        if count is None:
            try:
                return self._whole(arrays, names, budget, inputs)
            except MemoryBudgetError:
                if not self._can_be_split(specs):
                    raise
        results = self._results(specs)  # before plans are made, which count its memory
        if count is None or not self._plans.fit(specs, count, budget):
            count = self._splits[key] = self._plans.fewest(specs, budget)
        while len(self._splits) > SPLITS_KEPT:
            del self._splits[next(iter(self._splits))]
        return self._by_micro_batches(arrays, specs, count, budget, results)

    def prepare(self, specs: tuple[Spec, ...]) -> None:
        """Make the plans for inputs of these specs, for micro-batches if need be; run nothing.

        Raises MemoryBudgetError.
        """
        budget = memory_limit()
        try:
            self._cache.get(specs, self._make, budget)
        except MemoryBudgetError:
            if not self._can_be_split(specs):
                raise
            self._splits[versions()[0], specs, budget] = self._plans.fewest(specs, budget)

    def _modes(self) -> tuple[bool, ...]:
        return modes(self._model())

    def _trace(self, specs: Any) -> Traced:
        return trace(self._model(), specs)

    def _graph(self, traced: Traced) -> Graph:
        graph, model = self._unfolded(traced), self._model()
        return fold_norms(graph) if model is not None and model.folding else graph

    def _unfolded(self, traced: Traced) -> Graph:
        results = (*flat(traced.output), *checks({}, traced.updates))
        return Graph.trace(traced.inputs, results, traced.updates, results)

    def _whole(
        self, inputs: tuple[Any, ...], names: list[str], budget: Allowance | None,
        given: tuple[Any, ...] | None = None,
    ) -> Any:
        compiled = self._cache.bind(inputs, names, self._make, budget, given)
        results = compiled.run(self._checked_outputs)
        compiled.executor.release_inputs()  # after that: an output may be an input's memory
        return self._nested(compiled, [as_result(result) for result in results])

    def _nested(self, compiled: Compiled, arrays: Sequence[np.ndarray]) -> Any:
        """What a call returns, from the arrays of the plan's outputs."""
        return like(compiled.nesting, arrays)

    def _checked_outputs(self, compiled: Compiled) -> list[np.ndarray]:
        model = self._model()
        assert model is not None
        check_changes(model, None, compiled)
        return _outputs(compiled)

    def _make(self, specs: tuple[Any, ...]) -> Compiled:
        traced, limit = self._trace(specs), memory_limit()
        graph = self._graph(traced)
        with suppress(MemoryBudgetError):  # by what it would keep, perhaps
            return Compiled(graph, limit, specs, traced.output, free_arena(), may_take)
        return Compiled(graph, limit, specs, traced.output, free_arena())

    def _can_be_split(self, specs: Any) -> bool:
        """Whether the model is in eval mode and computes each example independently."""
        model = self._model()
        assert model is not None
        if any(module.training for module in model.modules()):
            return False
        try:
            examples = examples_in(specs)
            half = examples // 2
            graph, smaller = (self._graph(self._trace(resized(specs, count)))
                              for count in (examples, half))
        except ShapeError:
            return False
        return half > 0 and by_example(graph, examples) and (
            same_but_for_size(graph, examples, smaller, half))

    def _results(self, specs: Any) -> list[np.ndarray]:
        """Memory for the outputs, touched so that plans count it."""
        outputs = flat(self._trace(specs).output)
        return [np.full(tensor.shape, 0, tensor.dtype) for tensor in outputs]

    def _by_micro_batches(
        self, arrays: tuple[Any, ...], specs: Any, count: int, limit: Allowance,
        results: list[np.ndarray] | None = None,
    ) -> Any:
        results = self._results(specs) if results is None else results
        done = 0
        for micro_batch in split(arrays, count):
            examples = examples_in(micro_batch)
            compiled = self._plans.get(specs, examples, limit)
            compiled.bind(flat(micro_batch))
            for result, output in zip(results, compiled.compute(_outputs), strict=True):
                result[done:done + examples] = output
            compiled.executor.release_inputs()
            done += examples
        return self._nested(compiled, results)

    def _make_micro_batch(self, whole: Any, specs: Any, limit: Allowance | None) -> Compiled:
        traced = self._trace(specs)
        with as_micro_batch_of(examples_in(whole), examples_in(specs)):
            return Compiled(self._graph(traced), limit, specs, traced.output, free_arena())


_known: WeakKeyDictionary[Module, Inference] = WeakKeyDictionary()


def inference_of(model: Module) -> Inference:
    """The `Inference` of a module, with the plans that it keeps."""
    if model not in _known:
        _known[model] = Inference(model)
    return _known[model]


Find = Callable[[Module], Inference]


def run_module(model: Module, inputs: Sequence[Any], find: Find = inference_of) -> Any:
    """The output of a module for arrays; in training mode, running statistics are updated.

    find: gives the module's `Inference`. Any Python thread may call it. Threads take turns, but for
    inferences on one thread each.
    """
    values, budget = tuple(inputs), memory_limit()
    if get_num_threads() != 1 or process_lock.is_mine():  # inside a step or another call
        with process_lock:
            return find(model)(values, budget)
    try:
        return _run_beside(find, model, values, budget)
    except AllInUseError as error:
        in_use = error.with_traceback(None)  # which would keep the arrays
    try:
        while True:
            in_use.wait()
            try:
                return _run_beside(find, model, values, budget)
            except AllInUseError as error:
                in_use = error.with_traceback(None)
    finally:
        give_up()


def _run_beside(
    find: Find, model: Module, values: tuple[Any, ...], budget: Allowance | None
) -> Any:
    """The output of a module, computed beside other inferences or alone; or AllInUseError."""
    with beside:
        inference = find(model)
        found = inference.beside(values, budget)
        if found is None:
            beside.be_alone()
            found = inference(values, budget)
    return found

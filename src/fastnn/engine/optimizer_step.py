"""`optimizer.step(grads)`: the update alone, for loops of one's own.

It is the update of a `TrainStep`, the same kernels on the same numbers, planned once for each set
of parameters that get a gradient.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from fastnn.engine.compiled import Compiled
from fastnn.engine.finite import checks
from fastnn.engine.gradients import Found, gradients_for
from fastnn.engine.loss_graph import optimizer_nodes
from fastnn.engine.memory_limit import memory_limit
from fastnn.engine.plan_cache import PlanCache
from fastnn.graph import Graph
from fastnn.habits import NO_GRADIENTS
from fastnn.ops.boundary import array_input
from fastnn.optim.clipping import Clipping
from fastnn.optim.optimizer import Optimizer, set_stepper
from fastnn.optim.several import advance
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import free_arena

SETS_KEPT = 8  # of parameters that got gradients together


class _Steps:
    """The plans of one optimizer's steps."""

    def __init__(self) -> None:
        self._caches: OrderedDict[Any, PlanCache] = OrderedDict()
        self._square = np.zeros(())  # the sum of the gradients' squares, where it is needed

    def __call__(
        self, optimizer: Optimizer, found: dict[int, Found], clipping: Clipping
    ) -> None:
        by_norm = clipping.norm is not None
        names = [f"the gradient of {name}" for name, _, _ in found.values()]
        arrays = tuple(array for _, _, array in found.values())

        def make(specs: tuple[Any, ...]) -> Compiled:
            pairs = [array_input(number, spec, "NCHW") for number, spec in enumerate(specs)]
            grads = {parameter.__tensor__(): tensor
                     for (_, parameter, _), (_, tensor) in zip(found.values(), pairs, strict=True)}
            sums = checks(grads, (), self._square) if by_norm else ()
            graph = Graph.trace([raw for raw, _ in pairs], sums,
                                optimizer_nodes([optimizer], grads))
            return Compiled(graph, memory_limit(), specs, arena=free_arena())

        cache = self._cache((tuple(found), by_norm))
        compiled = cache.bind(arrays, names, make, memory_limit())
        compiled.run(lambda _: None,
                     lambda: advance([optimizer], clipping, float(self._square)))
        compiled.executor.release_inputs()

    def _cache(self, key: Any) -> PlanCache:
        cache = self._caches.pop(key, None) or PlanCache(tuple)
        self._caches[key] = cache
        while len(self._caches) > SETS_KEPT:
            self._caches.popitem(last=False)
        return cache


_known: WeakKeyDictionary[Optimizer, _Steps] = WeakKeyDictionary()


def step(optimizer: Optimizer, grads: Any, clipping: Clipping) -> None:
    """Update an optimizer's parameters from gradients; nothing changes after an error."""
    if grads is None or callable(grads):
        raise TypeError(NO_GRADIENTS)
    with process_lock:
        found = gradients_for(optimizer, grads)
        found = {place: each for place, each in found.items() if each[2].size}
        if found:
            steps = _known.setdefault(optimizer, _Steps())
            steps(optimizer, found, clipping)


set_stepper(step)

"""A loss and its gradients, for those who update parameters themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from fastnn.autodiff import gradients, known_gradients
from fastnn.engine.compiled import Compiled
from fastnn.engine.gradients import Gradients, remember_names
from fastnn.engine.loss_graph import ABSENT, check_model_and_loss, loss_graph, trainable
from fastnn.engine.nesting import flat
from fastnn.engine.plan_cache import PlanCache, modes
from fastnn.graph import Graph
from fastnn.nn.module import Module
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import free_arena


def value_and_grad(
    model: Module, loss: Any, layout: str = "NCHW"
) -> Callable[..., tuple[float, Gradients]]:
    """A function of (x, y) that returns (loss, {parameter name: gradient}).

    For a loss of the output alone it is a function of x. Parameters that are frozen are left out;
    gradients are zeros where the loss does not depend on the parameter. Nothing of the model
    changes, running statistics included. Any Python thread may call it. `optimizer.step(grads)`
    makes the update:

    >>> import numpy as np, fastnn as fn
    >>> model = fn.nn.Linear(3, 1)
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    >>> find = value_and_grad(model, fn.nn.MSELoss())
    >>> x, y = np.eye(3, dtype=np.float32), np.ones((3, 1), np.float32)
    >>> before, grads = find(x, y)
    >>> sorted(grads)
    ['bias', 'weight']
    >>> optimizer.step(grads)
    >>> find(x, y)[0] < before
    True
    """
    check_model_and_loss(model, loss)
    cache = PlanCache(lambda: modes(model, loss))
    unreached: WeakKeyDictionary[Compiled, frozenset[str]] = WeakKeyDictionary()

    def make(specs: tuple[Any, Any]) -> Compiled:
        inputs, outputs, value, _ = loss_graph(model, loss, *specs, layout)
        named = trainable(model, loss)
        remember_names(named)
        wanted = {name: parameter.__tensor__() for name, parameter in named.items()}
        known = known_gradients(value, list(wanted.values()))
        grads = gradients(value, list(wanted.values()))
        graph = Graph.trace(inputs, (value, *grads), (), [value, *flat(outputs)])
        compiled = Compiled(graph, specs=specs, arena=free_arena())
        unreached[compiled] = frozenset(name for name in wanted if wanted[name] not in known)
        return compiled

    def compute(x: Any, y: Any = None) -> tuple[float, Gradients]:
        with process_lock:
            compiled = cache.bind((x, ABSENT if y is None else y), ("x", "y"), make)
            named = trainable(model, loss)
            return compiled.compute(lambda plan: (
                plan.first(), Gradients({name: plan.read(1 + i) for i, name in enumerate(named)},
                                        named, unreached[compiled])))

    return compute

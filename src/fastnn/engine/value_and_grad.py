"""A loss and its gradients, for those who update parameters themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.autodiff import gradients
from fastnn.engine.compiled import Compiled
from fastnn.engine.loss_graph import ABSENT, check_model_and_loss, loss_graph, trainable
from fastnn.engine.plan_cache import PlanCache, modes
from fastnn.graph import Graph
from fastnn.nn.module import Module
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import free_arena


def value_and_grad(
    model: Module, loss: Any, layout: str = "NCHW"
) -> Callable[..., tuple[float, dict[str, np.ndarray]]]:
    """A function of (x, y) that returns (loss, {parameter name: gradient}).

    For a loss of the output alone it is a function of x.
    Nothing of the model changes, running statistics included. Any Python thread may call it.
    """
    check_model_and_loss(model, loss)
    cache = PlanCache(lambda: modes(model, loss))

    def make(specs: tuple[Any, Any]) -> Compiled:
        inputs, outputs, value, _ = loss_graph(model, loss, *specs, layout)
        wanted = [p.__tensor__() for p in trainable(model, loss).values()]
        grads = gradients(value, wanted)
        graph = Graph.trace(inputs, (value, *grads), (), [value, *outputs])
        return Compiled(graph, specs=specs, arena=free_arena())

    def compute(x: Any, y: Any = None) -> tuple[float, dict[str, np.ndarray]]:
        with process_lock:
            compiled = cache.bind((x, ABSENT if y is None else y), ("x", "y"), make)
            names = trainable(model, loss)
            return compiled.compute(lambda plan: (
                plan.first(), {name: plan.read(1 + i) for i, name in enumerate(names)}))

    return compute

"""fastnn as a peer: what `serve` asks of an engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fastnn import optim
from fastnn._kernels import dispatch
from fastnn.bench.graphs import find, graph_of
from fastnn.bench.nets import LEARNING_RATE, MOMENTUM, make
from fastnn.engine.compiled import Compiled
from fastnn.engine.loss_graph import optimizer_nodes
from fastnn.engine.train_step import TrainStep
from fastnn.graph import Graph, Tensor, leaf
from fastnn.nn.classification_losses import CrossEntropyLoss
from fastnn.nn.parameter import Parameter
from fastnn.runtime.arena import aligned_array
from fastnn.runtime.random import manual_seed
from fastnn.runtime.threads import set_num_threads
from fastnn.spec import FLOAT, INDEX, Spec, storage_axes, storage_shape

Passes = dict[str, Callable[[], Any]]


def stored(array: np.ndarray) -> np.ndarray:
    """The values of an array in storage order, in memory like that of a plan."""
    order = array.transpose(storage_axes(array.ndim))
    result = aligned_array(order.shape, INDEX if array.dtype.kind in "iu" else FLOAT)
    result[...] = order
    return result


class Peer:
    """fastnn as it comes."""

    def __init__(self, threads: int) -> None:
        set_num_threads(threads)
        manual_seed(0)
        self.version = f"fastnn {dispatch.level()}"

    def net(self, name: str, x: np.ndarray, y: np.ndarray) -> tuple[Passes, int]:
        """Training steps of a net."""
        model = make(name)
        optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        step = TrainStep(model, CrossEntropyLoss(), optimizer)
        return {"step": lambda: step(x, y)}, sum(p.size for p in model.parameters())

    def inference(self, name: str, x: np.ndarray) -> tuple[Passes, int]:
        """Calls of a net in eval mode."""
        model = make(name).eval()
        return {"inference": lambda: model(x)}, sum(p.size for p in model.parameters())

    def op(self, bind: Callable[..., Callable[[], Tensor]]) -> Passes:
        """One operation: the calls before and those after its output is known."""
        inputs: list[Tensor] = []
        wanted: list[Tensor] = []
        arrays: list[np.ndarray] = []

        def tensor(array: np.ndarray, gradient: bool) -> Tensor:
            arrays.append(stored(array))
            inputs.append(leaf("input", len(inputs), Spec(array.shape, arrays[-1].dtype)))
            if gradient:
                wanted.append(inputs[-1])
            return inputs[-1]

        graph = graph_of(bind(find, tensor), inputs, wanted)
        for upstream in graph.inputs[len(arrays):]:
            arrays.append(aligned_array(storage_shape(upstream.shape), FLOAT))
            arrays[-1][...] = np.random.default_rng(1).standard_normal(arrays[-1].shape)
        return _passes(graph, arrays)

    def update(self, name: str, arrays: list[np.ndarray], arguments: dict[str, Any]) -> Passes:
        """The step of an optimizer, with gradients that stay the same."""
        parameters = [Parameter(array) for array in arrays]
        optimizer = getattr(optim, name)(parameters, **arguments)
        grads = {p.__tensor__(): leaf("buffer", stored(array), Spec(array.shape))
                 for p, array in zip(parameters, arrays, strict=True)}
        graph = Graph.trace((), (), optimizer_nodes([optimizer], grads))
        executor = Compiled(graph).executor

        def step() -> None:
            optimizer.advance()
            executor.update()

        return {"update": step}


def _passes(graph: Graph, arrays: list[np.ndarray]) -> Passes:
    compiled = Compiled(graph)
    compiled.executor.bind(arrays)
    plan, run = compiled.plan, compiled.executor.run
    forward = sum(len(step.calls) for step in plan.steps[:plan.graph.forward_nodes])
    passes: Passes = {"forward": partial(run, 0, forward)}
    if plan.graph.forward_nodes < plan.graph.first_update:
        passes["backward"] = partial(run, forward, compiled.executor.split)
    return passes

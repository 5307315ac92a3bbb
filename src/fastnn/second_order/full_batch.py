"""The loss of a whole batch, its gradient, and products with its Hessian, in a memory budget.

A batch that does not fit is computed in micro-batches, whose sums are in float64. Nothing may be
drawn at random or depend on how the batch is split, so that the loss is one function of the
parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.autodiff import gradients
from fastnn.engine.compiled import Compiled
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.loss_graph import ABSENT, check_model_and_loss, loss_graph, trainable
from fastnn.engine.micro_batches import MicroBatchPlans, examples_in, split
from fastnn.engine.nesting import flat
from fastnn.engine.plan_cache import modes
from fastnn.engine.weighing import Weighing, shares, weighing
from fastnn.graph import Graph, Node, Tensor
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer
from fastnn.ops.batch_norm import BatchNormStats
from fastnn.plan.budget import Allowance, Budget, MemoryBudgetError, resolve
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import random_key
from fastnn.runtime.shared import free_arena
from fastnn.spec import ShapeError

Vector = np.typing.NDArray[np.float64]


class FullBatch:
    """A loss of a model's trained parameters, over all examples of (x, y).

    Parameters are one vector of float64, in the order of `names`. The model should be in eval mode.
    For a batch that is split, the loss must be a mean or a sum over examples.

    memory_budget: what the process may hold, as for `TrainStep`. held: bytes that the caller takes
    beside. batch_size: the most examples to compute at a time; None: as many as fit.

    Raises ValueError if the model has no trained parameter, or if its loss is random or changes the
    model's state; MemoryBudgetError if one example does not fit.
    """

    def __init__(
        self, model: Module, loss: Any, data: tuple[Any, Any], memory_budget: Budget = None,
        held: int = 0, batch_size: int | None = None, layout: str = "NCHW",
    ) -> None:
        check_model_and_loss(model, loss)
        self._model, self._loss, self._layout = model, loss, layout
        self._values = _arrays(data)
        self._parameters = trainable(model, loss)
        if not self._parameters:
            raise ValueError("the model has no parameter that is trained: all are frozen")
        self.names = tuple(self._parameters)
        self.size = sum(parameter.size for parameter in self._parameters.values())
        self._most = None if batch_size is None else integer(
            batch_size, "batch_size", "a number of examples from 1 on, or None", 1)
        self._limit = None if memory_budget is None else Allowance(
            resolve(memory_budget), held + 12 * self.size)
        self._directions: dict[str, Buffer] = {}
        self._weighing = Weighing(loss)
        self._counts: dict[MicroBatchPlans, int] = {}
        self._gradient = self._plans(lambda value, wanted: list(gradients(value, wanted)))
        self._product = self._plans(self._products)

    def _plans(self, outputs: Callable[[Tensor, list[Tensor]], list[Tensor]]) -> MicroBatchPlans:
        return MicroBatchPlans(partial(self._make, outputs),
                               lambda: modes(self._model, self._loss))

    @property
    def parameters(self) -> Vector:
        """The parameters now; set them to change the model."""
        return self._joined([parameter.data for parameter in self._parameters.values()])

    @parameters.setter
    def parameters(self, vector: Vector) -> None:
        self._write(self._parameters, vector)

    def value_and_grad(self) -> tuple[float, Vector]:
        """The loss and its gradient at the model's parameters."""
        return self._streamed(self._gradient)

    def product(self, vector: Vector) -> Vector:
        """H vector, with the Hessian H of the loss at the model's parameters.

        It is the gradient of ⟨gradient, vector⟩ (Pearlmutter, 1994), in about twice the time of a
        gradient.
        """
        if not self._directions:
            self._directions = {name: Buffer(np.zeros(parameter.shape, np.float32))
                                for name, parameter in self._parameters.items()}
        self._write(self._directions, vector)
        return self._streamed(self._product)[1]

    def split(self, vector: Vector) -> dict[str, np.ndarray]:
        """A vector as arrays of the parameters' shapes, float32, by name."""
        found, start = {}, 0
        for name, parameter in self._parameters.items():
            part = vector[start:start + parameter.size]
            found[name] = part.reshape(parameter.shape).astype(np.float32)
            start += parameter.size
        return found

    def _write(self, targets: dict[str, Any], vector: Vector) -> None:
        with process_lock:
            for name, values in self.split(vector).items():
                targets[name].data[...] = values

    def _joined(self, arrays: Sequence[np.ndarray]) -> Vector:
        return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])

    def _streamed(self, plans: MicroBatchPlans) -> tuple[float, Vector]:
        """The loss and the vector that these plans compute, summed over micro-batches.

        Their number is sought once, as that takes many plans, and again where the process has grown
        so that they do not fit any more.
        """
        specs = specs_of(self._values)
        with process_lock:
            if plans in self._counts:
                try:
                    return self._summed(plans, specs, self._counts[plans])
                except MemoryBudgetError:
                    pass
            self._counts[plans] = self._fewest(plans, specs)
            return self._summed(plans, specs, self._counts[plans])

    def _summed(
        self, plans: MicroBatchPlans, specs: Any, count: int
    ) -> tuple[float, Vector]:
        pieces = split(self._values, count)
        plans.get(specs, examples_in(pieces[0]), self._limit)  # how the loss weighs is known
        weights = [self._weighing.weight(y, x) for x, y in pieces]
        loss, total = 0.0, np.zeros(self.size)
        for piece, share in zip(pieces, shares(weights), strict=True):
            if share == 0:  # none of its targets counts: its mean would be NaN
                continue
            compiled = plans.get(specs, examples_in(piece), self._limit)
            compiled.bind(flat(piece))
            value, found = compiled.compute(self._read)
            compiled.executor.release_inputs()
            loss += share * value
            total += share * found
        return loss, total

    def _read(self, compiled: Compiled) -> tuple[float, Vector]:
        count = len(self._parameters)
        return float(compiled.first()), self._joined(
            [compiled.read(place) for place in range(1, 1 + count)])

    def _fewest(self, plans: MicroBatchPlans, specs: Any) -> int:
        """The fewest micro-batches that fit and have at most `batch_size` examples."""
        asked = 1 if self._most is None else -(-examples_in(specs) // self._most)
        if self._limit is None or plans.fit(specs, asked, self._limit):
            return asked
        return max(asked, plans.fewest(specs, self._limit))

    def _products(self, value: Tensor, wanted: list[Tensor]) -> list[Tensor]:
        directions = [buffer.__tensor__() for buffer in self._directions.values()]
        parts = [(grad * direction).sum() for grad, direction in
                 zip(gradients(value, wanted), directions, strict=True)]
        return list(gradients(sum(parts[1:], parts[0]), wanted))

    def _make(
        self, outputs: Callable[[Tensor, list[Tensor]], list[Tensor]], whole: Any, specs: Any,
        limit: Allowance | None,
    ) -> Compiled:
        x, y = specs
        inputs, output, value, updates = loss_graph(self._model, self._loss, x, y, self._layout)
        self._weighing = weighing(self._loss, value, inputs[len(inputs) - len(flat(y)):])
        wanted = [parameter.__tensor__() for parameter in self._parameters.values()]
        graph = Graph.trace(inputs, (value, *outputs(value, wanted)), (), [value, *flat(output)])
        _refuse_noise(graph, updates)
        if examples_in(whole) != examples_in(specs):
            _refuse_shared_statistics(graph)
        if limit is not None:
            batch = sum(spec.bytes for spec in flat(specs))
            limit = replace(limit, others=batch + (limit.others or 0))
        return Compiled(graph, limit, specs, (), free_arena())


def _arrays(data: Any) -> tuple[Any, Any]:
    if not isinstance(data, (tuple, list)) or len(data) not in (1, 2):
        raise TypeError("data must be the whole batch, a tuple of arrays (x, y), got "
                        f"{type(data).__name__}; batches that are shuffled, augmented or drawn one "
                        "after the other are not one function of the parameters")
    x = as_inputs(data[0], "x")
    y = ABSENT if len(data) == 1 or data[1] is None else as_inputs(data[1], "y")
    shapes = [array.shape for array in (*flat(x), *flat(y))]
    if len({shape[:1] for shape in shapes}) > 1:
        raise ShapeError(f"data: x and y must have as many examples each, got shapes {shapes}")
    return x, y


def _refuse_shared_statistics(graph: Graph) -> None:
    layers = [node.scope or "the loss" for node in graph.nodes
              if isinstance(node.op, BatchNormStats)]
    if layers:
        raise ValueError(f"{layers[0]} takes its statistics from the batch, so that a batch that "
                         "is split gives another loss: compute it as a whole, without batch_size "
                         "or with a larger memory_budget, or let it track running statistics")


def _refuse_noise(graph: Graph, updates: Sequence[Node]) -> None:
    random = [f"{node.scope or 'the loss'}:{node.op.name}" for node in graph.nodes
              if any(tensor is random_key() for tensor in node.inputs)]
    if random:
        raise ValueError(f"the loss is random, by {', '.join(random[:3])}: each evaluation would "
                         "be another function. Leave it out, or switch it off in eval mode")
    if updates:
        layers = dict.fromkeys(node.scope or "the loss" for node in updates)
        raise ValueError(f"the state of {', '.join(list(layers)[:3])} changes with each "
                         "evaluation, as batch norm's statistics do in training mode: call "
                         "model.eval()")



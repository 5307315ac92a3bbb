"""The outputs of a model for many examples, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Protocol

import numpy as np

from fastnn.arguments import integer
from fastnn.data.arrays import is_mapped
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.memory_limit import within
from fastnn.engine.nesting import flat, like
from fastnn.engine.trace import trace
from fastnn.nn.module import Module
from fastnn.plan.budget import Budget
from fastnn.runtime.locks import Exclusive, process_lock
from fastnn.spec import IGNORED, ShapeError
from fastnn.training.evaluation import in_use
from fastnn.training.places import at
from fastnn.training.room import NoStep, Room
from fastnn.training.sources import source
from fastnn.training.streams import Batch, Source


class Inputs:
    """A source of batches (x,).

    data: an array, several in a tuple or dict, or an iterable of x, (x, y) or (x, y, weights).
    examples: how many there are in all, or 0 if that is not known.
    """

    def __init__(self, data: Any, batch_size: int, ignored: int) -> None:
        self._batches: Source | None = None
        self._data, self._size, self.examples = data, batch_size, 0
        if isinstance(data, np.ndarray):
            x = data if is_mapped(data) else np.asarray(data)
            self.examples = len(x)
            data = x, np.zeros(len(x), np.int64)
            self._batches = source(data, batch_size, False, 0, ignored)
        elif isinstance(data, (tuple, dict)):
            parts = [np.asarray(part) for part in flat(data)]
            counts = {len(part) for part in parts if part.ndim}
            if len(counts) != 1 or 0 in counts:
                raise ValueError("several inputs must have as many examples each, got shapes "
                                 f"{[part.shape for part in parts]}")
            self._data, self.examples = like(data, parts), counts.pop()
        elif hasattr(data, "epoch") and hasattr(data, "__len__"):
            self._batches = source(data, batch_size, False, 0, ignored)
        elif not isinstance(data, Iterable) or isinstance(data, str):
            raise TypeError("x must be an array, a tuple or dict of several inputs, Batches or an "
                            f"iterable of batches, got {type(data).__name__}")
        known = getattr(self._batches, "working_bytes", None)
        if known is not None:
            self.working_bytes = known

    def __len__(self) -> int:
        return 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        if self._batches is not None:
            batches: Iterator[Any] = self._batches.epoch(0)
        elif isinstance(self._data, (tuple, dict)):
            batches = ((like(self._data, [part[i:i + self._size] for part in flat(self._data)]),)
                       for i in range(0, self.examples, self._size))
        else:
            batches = iter(self._data)
        return map(_inputs, batches)


def _inputs(batch: Any) -> Batch:
    """(x,) of a batch x, (x, y) or (x, y, weights)."""
    if isinstance(batch, (tuple, dict)):
        return (batch[0] if isinstance(batch, tuple) else batch,)
    return (np.asarray(batch),)


class Computation(Protocol):
    """Something that a model computes of arrays."""

    @property
    def model(self) -> Module:
        """The model."""
        ...

    def __call__(self, *inputs: Any) -> Any:
        """The values for arrays."""
        ...

    def output(self, specs: Any) -> Any:
        """The symbolic values for inputs of these specs."""
        ...


class Outputs:
    """What a model returns."""

    def __init__(self, model: Module) -> None:
        self.model = model

    def __call__(self, *inputs: Any) -> Any:
        return self.model(*inputs)

    def output(self, specs: Any) -> Any:
        return trace(self.model, specs).output


def computed(
    compute: Computation, x: Any, batch_size: int, memory_budget: Budget, what: str
) -> Any:
    """What a model computes for many examples, where no training step holds memory.

    x: what `Inputs` takes. memory_budget: None for the limit that holds already, if any. what: is
    computed, for the message that something else of the model runs.
    """
    size = integer(batch_size, "batch_size", "an integer from 1 on", 1)
    batches, step = Inputs(x, size, IGNORED), NoStep(memory_budget)
    step.rest()
    found = predicted(compute, batches, Room(step, batches), Exclusive(what))
    step.rest()
    return found


def predicted(compute: Computation, data: Inputs, room: Room, exclusive: Exclusive) -> Any:
    """What a model computes in eval mode, in the order of the examples, nested as for a batch.

    room: memory beside the computation. The results of a known number of examples are in memory
    before the first batch is computed.

    Raises ValueError without batches, ShapeError for outputs that are not by example,
    NonFiniteError that names the batch.
    """
    draws, found, nesting, done = room.draws(data.epoch(0)), list[list[np.ndarray]](), None, 0
    for number in count(1):
        batch = next(draws, None)
        if batch is None:
            break
        inputs = batch[0] if isinstance(batch[0], tuple) else (batch[0],)
        with at(f"prediction, batch {number}"), exclusive, process_lock, in_use(
                compute.model):
            if data.examples and not found:
                found = [_results(compute, inputs, data.examples)]
            with within(room.allowance):
                output = compute(*inputs)
        nesting, examples = output, len(flat(inputs)[0])
        for each in flat(output):
            if each.shape[:1] != (examples,):
                raise ShapeError(f"the model's output has shape {each.shape} for {examples} "
                                 "examples; outputs are joined that have one row for each")
        if data.examples:
            for result, part in zip(found[0], flat(output), strict=True):
                result[done:done + examples] = part
        else:
            found.append(flat(output))
        done += examples
        del batch, inputs  # free them before the next ones are drawn
    if nesting is None:
        raise ValueError("there are no batches to predict")
    parts = found[0] if data.examples else [np.concatenate(each) for each in zip(
        *found, strict=True)]
    return like(nesting, parts)


def _results(
    compute: Computation, inputs: tuple[Any, ...], examples: int
) -> list[np.ndarray]:
    """Memory for the outputs of all examples, touched so that plans count it."""
    specs = specs_of(tuple(as_inputs(value, f"input {i}") for i, value in enumerate(inputs)))
    outputs = flat(compute.output(specs))
    return [np.full((examples, *tensor.shape[1:]), 0, tensor.dtype) for tensor in outputs]

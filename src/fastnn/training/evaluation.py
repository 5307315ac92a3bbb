"""Measure a model on held-out data, leaving it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from fastnn.engine.inference import inference_of
from fastnn.engine.loss_graph import scalar
from fastnn.engine.memory_limit import within
from fastnn.engine.nesting import flat
from fastnn.engine.weighing import Weighing, weighing
from fastnn.nn.module import Module
from fastnn.nn.parameter import mode_changed
from fastnn.plan.budget import MemoryBudgetError
from fastnn.runtime.locks import Exclusive, process_lock
from fastnn.runtime.random import get_rng_state, set_rng_state
from fastnn.training.measures import Measures
from fastnn.training.metrics import Averages
from fastnn.training.places import at
from fastnn.training.room import Room
from fastnn.training.streams import Batch, Source
from fastnn.training.targets import Targets


class Loss(Module):
    """A loss as a module of (output, y)."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, output: Any, y: Any) -> Any:
        return self.loss(output, y)


class ModelAndLoss(Module):
    """A model and its loss as one module of (x, y), so that both come out of one plan."""

    def __init__(self, model: Module, loss: Any) -> None:
        super().__init__()
        self.model, self.loss = model, Loss(loss)
        self.weighing = Weighing(loss)

    def forward(self, x: Any, y: Any) -> tuple[Any, Any]:
        inputs = x if isinstance(x, tuple) else (x,)
        output = self.model(*inputs)
        loss = scalar(self.loss(output, y))
        self.weighing = weighing(self.loss.loss, loss, flat(y))
        return output, loss

    def separately(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Run the model, then its loss: only the model's batch can be split."""
        output = self.model(*(x if isinstance(x, tuple) else (x,)))
        return output, self.loss(output, y)


class Evaluation:
    """Measures a model with its loss and metrics, of batches whose examples may have weights."""

    def __init__(self, model: Module, loss: Any) -> None:
        self.exclusive = Exclusive("a step or an evaluation of this model")  # modes are the model's
        self.model, self._targets = model, Targets(loss)
        self._modules: dict[bool, ModelAndLoss] = {}  # by whether examples have weights

    def module(self, batch: Batch) -> ModelAndLoss:
        """The model and the loss for a batch, or for the specs of one."""
        weighed = self._targets.are_weighed(batch)
        if weighed not in self._modules:
            self._modules[weighed] = ModelAndLoss(self.model, self._targets.loss(batch))
        return self._modules[weighed]

    def measure(
        self, data: Source, room: Room, measures: Measures | None = None
    ) -> dict[str, Any]:
        """{"loss": ..., "accuracy": ...} as if all batches were one; the loss weighs targets.

        room: memory beside the computation. A batch that does not fit the budget is computed in
        micro-batches, to the same bits. measures: without batches; by default accuracy where it is
        defined. Raises MemoryBudgetError if that does not help: a single example does not fit, or
        the loss.
        """
        averages = Averages(Measures() if measures is None else measures)
        split, number = False, 0
        with closing(room.draws(data.epoch(0))) as batches:
            for batch in batches:
                number += 1
                module = self.module(batch)
                with (at(f"evaluation, batch {number}"), self.exclusive, process_lock,
                      in_use(module), within(room.allowance)):
                    split = self._add(module, batch, averages, split, room)
                del batch  # free it before the next one is drawn
        with at("evaluation"):
            return averages.values()

    def _add(
        self, module: ModelAndLoss, batch: Batch, averages: Averages, split: bool, room: Room
    ) -> bool:
        """Count a batch; returns whether it was split into micro-batches, for the next ones."""
        x, target, weight, sample = batch[0], batch[1], None, None
        if self._targets.are_weighed(batch):
            (target, weight), sample = self._targets.of(batch), batch[2]
            if weight == 0:  # nothing counts
                return split
        if not split:
            try:
                output, loss = module(x, target)
            except MemoryBudgetError:
                split = True
        if split:
            output, loss = module.separately(x, target)
        if sample is None:
            weight = module.weighing.weight(target)
        averages.add(float(loss), weight, len(flat(x)[0]))
        with room.measuring():
            averages.measures.update(output, batch[1], sample, module.weighing.ignore_index,
                                     module.weighing.soft)
        return split

    def prepare(self, data: Source, room: Room) -> None:
        """Plan what `measure` will run; MemoryBudgetError if it does not fit.

        Only for sources that know their batches in advance; none is drawn.
        """
        for specs in getattr(data, "specs", ()):
            x, y = specs[:2]
            batch = sum(spec.bytes for spec in specs)
            allowance = room.allowance
            if allowance is not None:
                allowance = replace(allowance, others=room.others + batch + 2 * y.bytes)
            module = self.module(specs)
            with self.exclusive, process_lock, in_use(module), within(allowance):
                try:
                    inference_of(module).prepare(self._targets.specs(specs))
                except MemoryBudgetError:
                    inference_of(self.model).prepare((x,))


@contextmanager
def in_use(module: Module) -> Iterator[None]:
    """Inside, the module is in eval mode; at the end, modes and random state are as before."""
    before = [(inner, inner.training, inner.folding) for inner in module.modules()
              if inner.training or inner.folding]
    state = get_rng_state()
    module.eval()
    try:
        yield
    finally:
        for inner, training, folding in before:
            object.__setattr__(inner, "training", training)
            object.__setattr__(inner, "folding", folding)
        if before:
            mode_changed()
        set_rng_state(state)

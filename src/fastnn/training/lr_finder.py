"""Find a learning rate: a short trial whose rate grows from step to step, and is undone afterwards.
"""

from __future__ import annotations

import math
from contextlib import closing
from typing import Any

import numpy as np

from fastnn.arguments import instance, integer, real
from fastnn.engine.inputs import NonFiniteError
from fastnn.engine.nesting import flat
from fastnn.engine.train_step import TrainStep
from fastnn.runtime.random import get_rng_state, seed_from
from fastnn.training.labels import encoded, encoder_for
from fastnn.training.places import at
from fastnn.training.rate_curve import RateCurve
from fastnn.training.room import Room
from fastnn.training.sources import check_again, source, takes_real_targets
from fastnn.training.streams import Batch
from fastnn.training.targets import Targets
from fastnn.training.trainer import Trainer
from fastnn.training.unchanged import unchanged

MEMORY = 0.9  # of the running mean that decides when to stop
DIVERGED = 4.0  # times the least running mean, or the first loss


def find_lr(
    trainer: Trainer, data: Any, min_lr: float = 1e-6, max_lr: float = 1.0, steps: int = 100,
    batch_size: int = 128, seed: int | None = None,
) -> RateCurve:
    """Try learning rates from min_lr to max_lr, one for each batch, and leave all as it was.

    Step i of n has the rate min_lr (max_lr / min_lr)^(i / (n - 1)). The loss first hardly moves,
    then falls, then blows up: the trial ends once its running mean is four times the least so far
    (or, where that is about 0, as large as the first loss), or a number is not finite.

    trainer: its model, loss, optimizers, clipping, micro-batches and memory budget are used; its
    schedule and callbacks are not, nor metrics. Rates of several groups keep their ratios to that
    of the first. data, batch_size: as for `Trainer.fit`; it begins anew as often as the steps need.
    seed: of the order and of dropout; by default the trainer's, or the present random state.

    Afterwards weights, buffers (as of batch norm), state, options and step counts of optimizers,
    modes and the random state are what they were, to the bit, also after an error. Under a memory
    budget the copies that this needs are part of it. No other thread may use the model meanwhile.

    Raises NonFiniteError if the first step is not finite, or a batch is not; ValueError; TypeError.
    (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017)

    >>> import numpy as np, fastnn as fn
    >>> fn.manual_seed(0)
    >>> x, y = np.eye(2, dtype=np.float32).repeat(8, axis=0), np.arange(2).repeat(8)
    >>> model = fn.nn.Linear(2, 2)
    >>> trainer = fn.Trainer(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    >>> found = fn.find_lr(trainer, (x, y), min_lr=1e-3, max_lr=1e3, batch_size=8, seed=0)
    >>> 0.1 < found.suggestion < 100
    True
    """
    instance(trainer, "trainer", Trainer)
    rates = _rates(min_lr, max_lr, steps)
    groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
    first = float(groups[0]["lr"])
    ratios = [float(group["lr"]) / first for group in groups] if first else [1.0] * len(groups)
    seed = trainer.seed if seed is None else seed
    order = int(get_rng_state()["key"][0]) if seed is None else seed  # type: ignore[index]
    data = encoded(data, encoder_for(data, trainer._labels))
    batches = source(data, batch_size, True, order, trainer.train_step.weighing.ignore_index,
                     takes_real_targets(trainer.loss), steps)
    check_again(batches, 1)
    losses: list[float] = []
    trainer.train_step.rest()
    with trainer._exclusive, unchanged((trainer.model, trainer.loss), trainer.optimizers):
        if seed is not None:
            seed_from(seed, 0)
        trainer.model.train()
        trial = Trial(trainer)
        with closing(trial.room(batches).draws(batches.epoch(0))) as drawn:
            for number, batch in enumerate(drawn):
                for group, ratio in zip(groups, ratios, strict=True):
                    group["lr"] = float(rates[number]) * ratio
                loss = trial.step(batch, number)
                del batch  # free it before the next one is drawn
                losses.append(loss)
                if trial.has_diverged(loss):
                    break
    return RateCurve(rates[:len(losses)], np.array(losses), len(losses) < len(rates)
                     or not math.isfinite(losses[-1]))


class Trial:
    """Steps of a trainer's model with plans of their own, until they diverge."""

    def __init__(self, trainer: Trainer) -> None:
        own = trainer.train_step
        self._step = TrainStep(
            trainer.model, trainer.loss, own.optimizer, own.memory_budget, own.layout,
            accumulate=own.accumulate, clip_grad_norm=own.clipping.norm,
            clip_grad_value=own.clipping.value)
        self._targets = Targets(trainer.loss)
        self._room: Room | None = None
        self._mean, self._weight, self._least, self._first = 0.0, 0.0, math.inf, math.nan

    def room(self, batches: Any) -> Room:
        """Room for the batches beside the steps."""
        self._room = Room(self._step, batches)
        return self._room

    def step(self, batch: Batch, number: int) -> float:
        """The loss of a step; infinity if it diverged, NaN if no target of the batch counts."""
        assert self._room is not None
        self._step.leave(self._room.others)
        self._step.use_loss(self._targets.loss(batch))
        if self._targets.are_weighed(batch):
            target, weight = self._targets.of(batch)
        else:
            target, weight = batch[1], self._step.weighing.weight(batch[1])
        if weight == 0:
            return math.nan
        try:
            with at(f"the learning-rate trial, batch {number + 1}"):
                return float(self._step(batch[0], target))
        except NonFiniteError:
            if number == 0 or not _is_finite(batch):
                raise
            return math.inf
        finally:
            self._step.release_inputs()

    def has_diverged(self, loss: float) -> bool:
        """Whether the running mean of the losses has left its least value far behind."""
        if math.isnan(loss):
            return False
        if math.isinf(loss):
            return True
        self._first = loss if math.isnan(self._first) else self._first
        self._mean = MEMORY * self._mean + (1 - MEMORY) * loss
        self._weight = MEMORY * self._weight + 1 - MEMORY
        mean = self._mean / self._weight
        self._least = min(self._least, mean)
        # Of a loss that may be negative: its distance to the least value against the way it fell.
        return mean - self._least > (DIVERGED - 1) * max(abs(self._least), abs(self._first) / 3)


def _rates(min_lr: float, max_lr: float, steps: int) -> np.ndarray:
    least = real(min_lr, "min_lr", "a number above 0", above=0)
    most = real(max_lr, "max_lr", "a number above 0", above=0)
    if least >= most:
        raise ValueError(f"min_lr must be below max_lr, got {min_lr} and {max_lr}")
    return np.geomspace(least, most, integer(steps, "steps", "an integer from 10 on", 10))


def _is_finite(batch: Batch) -> bool:
    return all(np.isfinite(np.asarray(part)).all() for part in flat(batch))

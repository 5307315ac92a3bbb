"""Before the first step: whether metrics fit, and all plans of a training under a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.trace import trace
from fastnn.engine.train_step import TrainStep
from fastnn.nn.module import Module
from fastnn.runtime.process_memory import keep_no_large_blocks
from fastnn.spec import Spec
from fastnn.training.evaluation import Evaluation
from fastnn.training.measures import Measures
from fastnn.training.room import Room, make_all
from fastnn.training.streams import Batch, Source
from fastnn.training.targets import Targets


def check_metrics(model: Module, measures: Measures, batch: Batch, ignored: int) -> None:
    """Raise ValueError unless metrics fit a model's outputs and the targets of a batch."""
    if not measures.are_checked:
        return
    inputs = as_inputs(batch[0], "x")
    outputs = trace(model, specs_of(inputs if isinstance(inputs, tuple) else (inputs,))).output
    measures.check(outputs, batch[1], ignored)


def plan_all(
    step: TrainStep, targets: Targets, batch: Batch, training: Source,
    evaluated: Iterable[tuple[Evaluation, Source]], room: Room,
) -> None:
    """Make all plans, of evaluations with their data too; MemoryBudgetError if they do not fit."""
    keep_no_large_blocks()  # glibc starts to keep them once images are decoded
    arrays = as_inputs(batch[0], "x"), as_inputs(batch[1], "y")  # their copies count meanwhile
    first = targets.specs((*specs_of(arrays), *(Spec(np.shape(each)) for each in batch[2:])))
    others = [specs for each in getattr(training, "specs", ())
              if (specs := targets.specs(each)) != first]
    measured = list(evaluated)
    step.leave(room.others, plans=1 + len(others) + len(measured))
    plans: list[Callable[[], object]] = [
        partial(step.plan, *specs) for specs in (first, *others)]
    plans += [partial(evaluation.prepare, data, Room(step, data)) for evaluation, data in measured]
    make_all(plans)

"""Build a run from its settings: data, model, loss, optimizer, schedule."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastnn import nn, optim
from fastnn.cli.loading import Loaded, is_table, of_arrays, of_table
from fastnn.cli.model import make_model
from fastnn.cli.settings import Settings
from fastnn.data import (
    Batches,
    Compose,
    Dataset,
    Preprocessor,
    RandomHorizontalFlip,
    RandomShift,
)
from fastnn.data import load as load_data
from fastnn.data.registry import outline as outline_data
from fastnn.data.table import TableEncoder
from fastnn.data.table_target import TableTarget
from fastnn.metrics import BinaryAccuracy
from fastnn.plan.budget import GROWTH, MemoryBudgetError, format_bytes, resolve
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.random import manual_seed
from fastnn.training import Callback, Trainer

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Job:
    """Batches and a trainer, ready to fit.

    model: what the run is for; its trainer may train the head alone. preprocess: of its inputs.
    """

    data: Dataset
    training: Batches
    validation: Batches | None
    test: Batches | None
    trainer: Trainer
    outputs: int  # of the model: classes, or real targets
    model: nn.Module
    preprocess: Preprocessor
    task: str = "classification"
    names: tuple[str, ...] = ()  # of the outputs; empty: those of the data's classes
    encoder: TableEncoder | None = None
    target: TableTarget | None = None


def make_job(settings: Settings, callbacks: list[Callback]) -> Job:
    """Build a job; it depends only on the settings, so a resumed run builds the same.

    Raises MemoryBudgetError, before they are loaded, for data that do not fit the memory budget.
    """
    if is_table(settings.data):
        return _job(settings, of_table(settings, split), callbacks)
    if settings.memory_budget is not None:
        check_fits(settings)
    return _job(settings, of_arrays(load_data(settings.data), settings.task), callbacks)


def check_fits(settings: Settings) -> None:
    """Raise MemoryBudgetError if a budget is too small for the data, judged by their headers.

    The error names what the whole run needs, like a step's: the needs of the same job with data
    that take no memory, plus the data.
    """
    assert settings.memory_budget is not None
    with warnings.catch_warnings(action="ignore"):  # loading the data will show them
        outline = outline_data(settings.data)
        limit, held = resolve(settings.memory_budget), resident_bytes()
        peak = held + outline.peak_bytes
        if peak <= limit:
            return
        job = _job(replace(settings, memory_budget="1B"),
                   of_arrays(outline.data, settings.task), [])
    if job.test is not None:
        job.trainer.expect(job.test)
    try:
        job.trainer.fit(job.training, job.validation, 1)
    except MemoryBudgetError as refusal:
        least = max(refusal.min_bytes + outline.bytes, peak + GROWTH)
        raise MemoryBudgetError(
            f"a memory budget of {format_bytes(limit)} is too small: this step needs at least "
            f"{format_bytes(least)} ({least} bytes), of which the process holds "
            f"{format_bytes(held)} already, and {outline.data.source} will take "
            f"{format_bytes(outline.bytes)}", least) from None


def _job(settings: Settings, loaded: Loaded, callbacks: list[Callback]) -> Job:
    if settings.label_smoothing and loaded.task != "classification":
        raise ValueError(f"label_smoothing is for classification, not for {loaded.task}")
    data, preprocess = loaded.data, loaded.standardize()
    kept, held_out = split(data.train[1], settings.validation, settings.seed)
    training = Batches(*data.train, settings.batch_size, seed=settings.seed, indices=kept,
                       transform=augmentation(settings, data), preprocess=preprocess)

    def measured(part: tuple[Any, Any], indices: Any = None) -> Batches:
        return Batches(*part, EVALUATION_BATCH, shuffle=False, indices=indices,
                       preprocess=preprocess)

    manual_seed(settings.seed)
    outputs = len(loaded.names)
    model = make_model(settings.model, outputs, data.example_shape)
    loss = {"classification": nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing),
            "multilabel": nn.BCEWithLogitsLoss(), "regression": nn.MSELoss()}[loaded.task]
    metrics = [BinaryAccuracy()] if loaded.task == "multilabel" else None
    optimizer = _optimizer(settings, model)
    trainer = Trainer(model, loss, optimizer, schedule_of(settings, optimizer, len(training)),
                      settings.memory_budget, callbacks, settings.accumulate, metrics=metrics)
    return Job(data, training, measured(data.train, held_out) if len(held_out) else None,
               measured(data.test) if data.test else None, trainer, outputs, model, preprocess,
               loaded.task, loaded.names, loaded.encoder, loaded.target)


def split(y: Any, share: float, seed: int) -> tuple[Any, Any]:
    """Indices to train on, and to hold out for validation: the same share of every class.

    >>> kept, held_out = split(np.array([0, 0, 0, 0, 1, 1]), 0.5, seed=0)
    >>> len(kept), np.bincount(np.array([0, 0, 0, 0, 1, 1])[held_out]).tolist()
    (3, [2, 1])
    """
    bits = np.random.Philox(key=seed, counter=[0, 0, 0, 2]).random_raw(len(y))
    classes = np.asarray(y) if y.dtype.kind in "iub" and y.ndim == 1 else np.zeros(len(y), np.int64)
    chosen = []
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        members = members[np.argsort(bits[members], kind="stable")]
        chosen.append(members[:int(len(members) * share)])
    held_out = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(y)), held_out, assume_unique=True), held_out


def augmentation(settings: Settings, data: Dataset) -> Compose | None:
    """Random changes of the pictures to train on; None for none."""
    steps: list[Any] = []
    if len(data.example_shape) == 3:
        steps += [RandomShift(settings.shift)] if settings.shift else []
        steps += [RandomHorizontalFlip()] if settings.flip else []
    return Compose(*steps) if steps else None


def _optimizer(settings: Settings, model: nn.Module) -> optim.Optimizer:
    """Weight decay applies only to weights: biases and normalisation parameters have one axis."""
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1],
               "weight_decay": settings.weight_decay},
              {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
    return optimizer_of(settings, [group for group in groups if group["params"]])


def optimizer_of(settings: Settings, groups: list[dict[str, Any]]) -> optim.Optimizer:
    """The optimizer of a run, for these groups of parameters."""
    if settings.optimizer == "sgd":
        return optim.SGD(groups, lr=settings.lr, momentum=settings.momentum,
                         nesterov=settings.momentum > 0)
    kinds: dict[str, type[optim.Adam]] = {"adam": optim.Adam, "adamw": optim.AdamW}
    return kinds[settings.optimizer](groups, lr=settings.lr)


def schedule_of(
    settings: Settings, optimizer: optim.Optimizer, batches: int
) -> optim.LRScheduler | None:
    """The learning rates of a run, from those of the optimizer's groups."""
    if settings.schedule == "one-cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return optim.OneCycleLR(optimizer, rates, settings.epochs * batches,
                                pct_start=0.2, cycle_momentum=False)
    if settings.schedule == "cosine":
        return optim.CosineAnnealingLR(optimizer, settings.epochs)
    if settings.schedule == "step":
        return optim.MultiStepLR(optimizer, [settings.epochs // 2, settings.epochs * 3 // 4])
    return None


def absolute_data(source: str) -> str:
    """The same data, independent of the working directory."""
    return os.path.abspath(source) if os.path.exists(source) else source

"""A run that starts from weights somebody has trained: a new head, then perhaps thawed blocks.

The head is trained on features that the frozen body computes once. To thaw blocks, that is done
first, for a few epochs and without checkpoints; the run proper trains head and blocks on pictures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastnn import nn, optim
from fastnn.cli.job import (
    EVALUATION_BATCH,
    Job,
    augmentation,
    optimizer_of,
    schedule_of,
    split,
)
from fastnn.cli.settings import Settings
from fastnn.data import Batches, Dataset, Preprocessor
from fastnn.data import load as load_data
from fastnn.data.images import load_image_folder, outline_image_folder
from fastnn.data.outline import stand_in
from fastnn.data.registry import loader_of
from fastnn.models import load as load_model
from fastnn.models.load import find_record
from fastnn.models.pretrained import Pretrained
from fastnn.plan.budget import GROWTH, MemoryBudgetError, format_bytes, resolve
from fastnn.runtime.process_memory import resident_bytes
from fastnn.runtime.random import manual_seed
from fastnn.training import Callback, Trainer
from fastnn.training.transfer import Transfer, transfer

FEATURES_BATCH = 32
HEAD_EPOCHS, HEAD_LR = 20, 0.005  # of a head whose body is thawed afterwards
DECAY = 0.5  # of the learning rate, from each block to the one before it

Part = tuple[Any, np.ndarray]


def make_pretrained_job(settings: Settings, callbacks: list[Callback], resumes: bool) -> Job:
    """Build a job; a resumed run builds the same, but for a head that its checkpoint has.

    Raises MemoryBudgetError for pictures or a net that do not fit the memory budget.
    """
    assert settings.pretrained is not None
    record = find_record(settings.pretrained)
    data = _pictures(settings, record)
    if len(data.classes) < 2:
        raise ValueError(f"{data.source}: a new head needs 2 classes or more, there are "
                         f"{len(data.classes)}")
    model = load_model(record.name)
    manual_seed(settings.seed)
    task, preprocess = transfer(model, len(data.classes)), record.preprocessor
    kept, held_out = split(data.train[1], settings.validation, settings.seed)
    task.thaw(settings.thaw).freeze()  # an error for too many blocks comes first
    if settings.thaw == 0:
        train, test = ((_features(settings, task, part, preprocess), part[1]) if part else None
                       for part in (data.train, data.test))
        assert train is not None
        data = replace(data, train=(stand_in(data.train[0].shape, np.uint8), data.train[1]),
                       test=None)  # the pictures have served
        return _job(settings, callbacks, data, (train, test), (kept, held_out), task, preprocess)
    if not resumes:
        features = _features(settings, task, data.train, preprocess, kept), data.train[1][kept]
        optimizer = optim.AdamW(task.head.parameters(), lr=HEAD_LR)
        Trainer(task.head, nn.CrossEntropyLoss(), optimizer, memory_budget=settings.memory_budget
                ).fit(features, epochs=HEAD_EPOCHS, batch_size=FEATURES_BATCH, seed=settings.seed)
    manual_seed(settings.seed)
    task.thaw(settings.thaw)
    return _job(settings, callbacks, data, (data.train, data.test), (kept, held_out), task,
                preprocess)


def _job(
    settings: Settings, callbacks: list[Callback], data: Dataset,
    parts: tuple[Part, Part | None], indices: tuple[Any, Any], task: Transfer,
    preprocess: Preprocessor,
) -> Job:
    """The job of a head on features, or of a net on pictures, whichever the parts hold."""
    (train, test), (kept, held_out) = parts, indices
    trained, applied, changes = (task.model, preprocess, augmentation(settings, data)) \
        if settings.thaw else (task.head, None, None)
    training = Batches(*train, settings.batch_size, seed=settings.seed, indices=kept,
                       transform=changes, preprocess=applied)

    def measured(part: Part, chosen: Any = None) -> Batches:
        size = FEATURES_BATCH if settings.thaw else EVALUATION_BATCH
        return Batches(*part, size, shuffle=False, indices=chosen, preprocess=applied)

    groups = task.groups(settings.lr, DECAY, weight_decay=settings.weight_decay)
    optimizer = optimizer_of(settings, groups)
    trainer = Trainer(trained, nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing),
                      optimizer, schedule_of(settings, optimizer, len(training)),
                      settings.memory_budget, callbacks, settings.accumulate)
    return Job(data, training, measured(train, held_out) if len(held_out) else None,
               measured(test) if test else None, trainer, len(data.classes), task.model, preprocess)


def _features(
    settings: Settings, task: Transfer, part: Part, preprocess: Preprocessor, indices: Any = None
) -> np.ndarray:
    """What the head reads of pictures."""
    batches = Batches(*part, FEATURES_BATCH, shuffle=False, indices=indices, preprocess=preprocess)
    features: np.ndarray = task.features(batches, memory_budget=settings.memory_budget)
    return features


def _pictures(settings: Settings, record: Pretrained) -> Dataset:
    """The data as pictures of the net's size: the central square of each, scaled."""
    size = record.size, record.size
    if loader_of(settings.data) is load_image_folder:
        if settings.memory_budget is not None:
            _check_fits(settings, size)
        return load_image_folder(settings.data, size, "RGB", central=True)
    data = load_data(settings.data)
    shape = data.example_shape
    if data.train[0].dtype != np.uint8 or len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"{data.source}: {record.name} needs pictures in bytes, of 1 or 3 "
                         f"channels; the examples have shape {shape} and are "
                         f"{data.train[0].dtype}")

    def fitted(part: Part) -> Part:
        channels = np.repeat(part[0], 3, axis=1) if shape[0] == 1 else np.asarray(part[0])
        return record.pictures(channels), part[1]

    return replace(data, train=fitted(data.train), test=fitted(data.test) if data.test else None)


def _check_fits(settings: Settings, size: tuple[int, int]) -> None:
    """Raise MemoryBudgetError, before pictures are read, if they alone do not fit."""
    outline = outline_image_folder(settings.data, size, "RGB")
    limit, held = resolve(settings.memory_budget or ""), resident_bytes()
    least = held + outline.peak_bytes + GROWTH
    if least > limit:
        raise MemoryBudgetError(
            f"a memory budget of {format_bytes(limit)} is too small: it needs more than "
            f"{format_bytes(least)} ({least} bytes), of which the process holds "
            f"{format_bytes(held)} already, and {settings.data} will take "
            f"{format_bytes(outline.bytes)}", least)

"""Dropout as an ensemble: predictions under many masks, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.engine.memory_limit import within
from fastnn.metrics.chances import log_softmax
from fastnn.nn.dropout import DropConnect, Dropout
from fastnn.nn.module import Module
from fastnn.nn.parameter import mode_changed
from fastnn.plan.budget import Budget
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import seed_from
from fastnn.spec import IGNORED, ShapeError
from fastnn.training.evaluation import in_use
from fastnn.training.prediction import Inputs


@dataclass(frozen=True)
class MonteCarlo:
    """What `mc_dropout` found, in float64; in nats.

    probabilities: (n, classes, ...), the mean over the masks. std: the same shape, their standard
    deviation. entropy: (n, ...), of the mean: all that is uncertain. mutual_information: (n, ...),
    the entropy of the mean less the mean entropy: how far the masks disagree, which more data would
    mend; the rest is noise of the data itself.
    """

    probabilities: np.ndarray
    std: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray


def mc_dropout(
    model: Module, x: Any, samples: int = 20, batch_size: int = 256, seed: int = 0,
    memory_budget: Budget = None,
) -> MonteCarlo:
    """The mean probabilities of a model under random dropout masks, and how uncertain they are.

    p = 1/S Σ_s softmax(model(x; mask_s)). Dropout layers and DropConnect draw masks, all else is in
    eval mode (batch norms use their running statistics). model: returns logits (n, classes, ...).
    x: as for `Ensemble.predict_proba`. samples: S, each of which costs a prediction. seed: of the
    masks; the same seed and batch size give the same bits. memory_budget: bytes the process may
    hold, or text such as "512MiB". Modes and the random state are as before at the end.

    Raises ValueError for a model without dropout, ShapeError for outputs that are no logits,
    MemoryBudgetError for batches that are too large: they are not split, as masks are of a batch.

    Source: Gal and Ghahramani, "Dropout as a Bayesian approximation" (2016).

    >>> import fastnn as fn
    >>> fn.manual_seed(0)
    >>> net = fn.nn.Sequential(fn.nn.Linear(4, 8), fn.nn.Dropout(0.5), fn.nn.Linear(8, 3))
    >>> found = mc_dropout(net, np.eye(4, dtype=np.float32), samples=10)
    >>> found.probabilities.shape, found.mutual_information.shape, net.training
    ((4, 3), (4,), True)
    """
    samples = integer(samples, "samples", "an integer from 1 on", 1)
    size = integer(batch_size, "batch_size", "an integer from 1 on", 1)
    seed = integer(seed, "seed", "an integer from 0 to 2**64 - 1", 0, 2**64 - 1)
    drops = [module for module in instance(model, "model", Module).modules()
             if isinstance(module, (Dropout, DropConnect))]
    if not any(module.p for module in drops):
        raise ValueError("mc_dropout: the model has no dropout layer (nn.Dropout, nn.DropConnect) "
                         "with p above 0, so that all samples would be alike")
    found = []
    with nullcontext() if memory_budget is None else within(memory_budget):
        for number, (batch,) in enumerate(Inputs(x, size, IGNORED).epoch(0)):
            inputs = batch if isinstance(batch, tuple) else (batch,)
            with process_lock, in_use(model), _dropping(drops):
                seed_from(seed, number * samples)
                found.append(_measured(model, inputs, samples))
    if not found:
        raise ValueError("x has no examples to predict")
    return MonteCarlo(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


@contextmanager
def _dropping(drops: list[Any]) -> Iterator[None]:
    """Inside, these layers of a model in eval mode are in training mode."""
    try:
        _set(drops, True)
        yield
    finally:
        _set(drops, False)


def _set(drops: list[Any], training: bool) -> None:
    for module in drops:
        object.__setattr__(module, "training", training)
    mode_changed()


def _measured(model: Module, inputs: tuple[Any, ...], samples: int) -> tuple[np.ndarray, ...]:
    """(mean, std, entropy, mutual information) of a batch; each run draws other masks."""
    mean: Any = 0.0
    squares: Any = 0.0
    entropies: Any = 0.0
    for count in range(1, samples + 1):
        output = model(*inputs)
        if not isinstance(output, np.ndarray) or output.ndim < 2 or output.shape[1] < 2:
            raise ShapeError(f"mc_dropout: the model's output has shape {np.shape(output)}, "
                             "expected logits (n, classes, ...) of two classes or more")
        logs = np.moveaxis(log_softmax(np.moveaxis(output.astype(np.float64), 1, -1)), -1, 1)
        chances = np.exp(logs)
        apart = chances - mean
        mean = mean + apart / count  # and the sum of squares around it (Welford, 1962)
        squares = squares + apart * (chances - mean)
        entropies = entropies - (chances * logs).sum(axis=1)
    entropy = -(mean * np.log(np.maximum(mean, np.finfo(np.float64).tiny))).sum(axis=1)
    return (mean, np.sqrt(squares / samples), entropy,
            np.maximum(entropy - entropies / samples, 0.0))

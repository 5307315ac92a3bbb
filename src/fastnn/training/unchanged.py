"""Try something on a model and its optimizers, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn.nn.module import Module
from fastnn.nn.parameter import mode_changed
from fastnn.optim.optimizer import Optimizer
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import get_rng_state, set_rng_state


@contextmanager
def unchanged(parts: Iterable[Any], optimizers: Iterable[Optimizer]) -> Iterator[None]:
    """Inside, models and optimizers may change; at the end they are as they were, to the bit.

    parts: models and losses; those that are no modules have nothing to keep. Weights, buffers,
    modes, the optimizers' state and the random state come back, also after an error.
    """
    modules, optimizers = [part for part in parts if isinstance(part, Module)], list(optimizers)
    with process_lock:
        stored = {id(value): value for module in modules
                  for value in (*module.parameters(), *module.buffers())}
        stored |= {id(value): value for optimizer in optimizers
                   for group in optimizer.param_groups for value in group["params"]}
        values = {key: np.array(value.data) for key, value in stored.items()}
        states = [_copied(optimizer.state_dict()) for optimizer in optimizers]
        modes = [(inner, inner.training) for module in modules for inner in module.modules()]
        random = get_rng_state()
    try:
        yield
    finally:
        with process_lock:
            for key, value in stored.items():
                value.data = values[key]
            for optimizer, state in zip(optimizers, states, strict=True):
                optimizer.load_state_dict(state)
            for inner, training in modes:
                object.__setattr__(inner, "training", training)
            mode_changed()
            set_rng_state(random)


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """A state of an optimizer whose arrays are copies."""
    arrays = [{name: np.array(array) for name, array in each.items()} for each in state["state"]]
    return {**state, "state": arrays}

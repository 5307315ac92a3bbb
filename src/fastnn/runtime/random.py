"""Random state: one seed for the process, and the key (seed, step) that kernels draw from.

Kernels use a counter-based generator: a number depends only on (seed, step, stream, place), where
a stream is one layer of one graph. Nothing has to be stored to redraw a mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from fastnn.graph import Tensor, leaf
from fastnn.spec import Spec

KEY = np.zeros(2, np.uint64)  # seed, step
_generator = np.random.default_rng(0)
_key_leaf = leaf("buffer", KEY, Spec((2,), KEY.dtype))
_streams: ContextVar[Iterator[int] | None] = ContextVar("streams", default=None)


def manual_seed(seed: int) -> None:
    """Seed everything random: initial weights, dropout.

    >>> manual_seed(0)
    """
    global _generator
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"a seed is an integer from 0 to 2**64 - 1, got {seed!r}")
    KEY[:] = seed, 0
    _generator = np.random.default_rng(int(seed))


def seed_from(seed: int, step: int) -> None:
    """`manual_seed`, at a later step."""
    manual_seed(seed)
    KEY[1] = step


def generator() -> np.random.Generator:
    """The generator for initial values."""
    return _generator


def random_key() -> Tensor:
    """The key that kernels draw from, as a symbolic value."""
    return _key_leaf


def next_step() -> None:
    """Advance the step, so that later draws differ from earlier ones."""
    KEY[1] += np.uint64(1)


def get_rng_state() -> dict[str, object]:
    """Everything that later draws depend on."""
    return {"key": [int(k) for k in KEY], "generator": _generator.bit_generator.state}


def set_rng_state(state: dict[str, object]) -> None:
    """Restore a state of `get_rng_state`. Nothing changes if it is not valid.

    Raises ValueError for anything else.
    """
    generator = np.random.default_rng(0)
    try:
        generator.bit_generator.state = state["generator"]  # type: ignore[assignment]
        key = list(state["key"])  # type: ignore[call-overload]
        if len(key) != 2 or not all(type(word) is int and 0 <= word < 2**64 for word in key):
            raise ValueError(f"its key is {key}")
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise ValueError(f"expected a state of get_rng_state ({error})") from error
    KEY[:] = key
    _generator.bit_generator.state = generator.bit_generator.state


@contextmanager
def streams() -> Iterator[None]:
    """Inside, streams count from 0: a graph traced twice draws the same numbers.

    A nested `streams` continues the count, so that no two layers draw the same numbers.
    """
    token = _streams.set(_streams.get() or itertools.count())
    try:
        yield
    finally:
        _streams.reset(token)


def new_stream() -> int:
    """The number of the next stream of the graph that is being traced."""
    counter = _streams.get()
    return 0 if counter is None else next(counter)

"""Sources of batches: arrays, `fastnn.data.Batches`, or any iterable of (x, y) or (x, y, weights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from types import GeneratorType
from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.data import Batches, Prefetch
from fastnn.data.arrays import is_mapped
from fastnn.data.batches import Memory
from fastnn.foreign import as_array
from fastnn.nn.module import Module
from fastnn.spec import FLOAT, IGNORED, Spec
from fastnn.training.example_weights import sample_weights
from fastnn.training.streams import Batch, Source, Steps, Stream


class Drawn:
    """`Batches` that are drawn into reused memory and know their needs.

    ahead: how many a thread draws while one is in use. working_bytes: what drawing takes beside the
    batches.
    """

    def __init__(self, batches: Batches, ahead: int = 0) -> None:
        self._batches, self.ahead = batches, ahead
        self.working_bytes = batches.bytes_in_place
        self._memories: Iterator[Memory] | None = None

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        if self.ahead and self._memories is None:
            memories = [self._batches.new_memory() for _ in range(self.ahead + 1)]
            for part in (part for memory in memories for part in memory):
                part.fill(0)  # touched, so that a plan counts it as resident
            self._memories = cycle(memories)
        return self._batches.epoch_in_place(epoch, start, self._memories)

    @property
    def specs(self) -> list[tuple[Spec, ...]]:
        """Shapes and types of the batches of an epoch, the last smaller one at the end."""
        shape, (target, dtype) = self._batches.x.shape[1:], self._batches.target
        return [(Spec((size, *shape)), Spec((size, *target), dtype))
                for size in self._batches.sizes]


class Weighed(Drawn):
    """`Drawn` batches with weights of their examples; weights: of all examples of `Batches`."""

    def __init__(self, batches: Batches, weights: np.ndarray, ahead: int = 0) -> None:
        super().__init__(batches, ahead)
        self._weights = weights

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        order, size = self._batches.order(epoch), self._batches.batch_size
        batches = super().epoch(epoch, start)
        for number in range(start, len(self)):
            yield (*next(batches), self._weights[order[number * size:(number + 1) * size]])

    @property
    def specs(self) -> list[tuple[Spec, ...]]:
        return [(x, y, Spec((*x.shape[:1], *self._weights.shape[1:]))) for x, y in super().specs]


class _Other:
    """A source of other code, with how many of its batches a thread draws ahead."""

    def __init__(self, source: Source, ahead: int) -> None:
        self.epoch, self.ahead = source.epoch, ahead
        self._source = source

    def __len__(self) -> int:
        return len(self._source)


def source(
    data: Any, batch_size: int, shuffle: bool, seed: int = 0, ignore_index: int = IGNORED,
    real_targets: bool = False, steps: int | None = None, prefetch: int = 0,
    before: Source | None = None,
) -> Source:
    """Batches of arrays, of a `Batches`, or of any iterable.

    data: a tuple of arrays, (x, y) or (x, y, weights); `fastnn.data.Batches`; an iterable of such
    tuples, or a function that makes one for each epoch; or a `Prefetch` of these. ignore_index: the
    class number of arrays that the loss leaves out. real_targets: whether integers may be real
    targets. steps: the batches that count as an epoch. prefetch: how many a thread draws ahead.
    before: the source of an earlier call, which goes on if it is of the same iterable.

    Raises ValueError or TypeError for anything else.
    """
    ahead = integer(prefetch, "prefetch", "an integer from 0 on", 0)
    if isinstance(data, Prefetch):
        data, ahead = data.data, data.batches
    before = before.source if isinstance(before, Steps) else before
    found: Source
    if isinstance(before, Stream) and before.data is data:
        found, before.ahead = before, ahead
    elif type(data) is Batches and data.is_in_place:
        found = Drawn(data, ahead)
    elif hasattr(data, "epoch") and hasattr(data, "__len__"):
        found = _Other(data, ahead) if ahead else data
    elif isinstance(data, tuple):
        x, y, *weights = _read(data, real_targets)
        batches = Batches(x, y, batch_size, shuffle, seed, ignore_index=ignore_index)
        found = Weighed(batches, sample_weights(weights[0], len(x)), ahead) if weights else \
            Drawn(batches, ahead)
    else:
        found = stream = Stream(_checked(data))
        stream.ahead = ahead
    if steps is None:
        return found
    return Steps(found, integer(steps, "steps_per_epoch", "an integer from 1 on", 1))


def _read(data: tuple[Any, ...], real_targets: bool) -> list[np.ndarray]:
    """The arrays of a tuple. Integers as y that are no class numbers by their shape are real."""
    if len(data) not in (2, 3) or any(isinstance(part, tuple) or not np.ndim(part)
                                      for part in data):
        kinds = ", ".join(type(part).__name__ for part in data)
        raise ValueError("a tuple of data must be (x, y), two arrays, or (x, y, weights), got "
                         f"({kinds}); for several inputs or targets pass an iterable of batches")
    x, y, *weights = (part if is_mapped(part) else as_array(part, name)
                      for part, name in zip(data, ("x", "y", "sample_weight"), strict=False))
    classes = x.shape[:1], x.shape[:1] + x.shape[2:]
    if real_targets and y.dtype.kind in "biu" and y.shape not in classes:
        y = y.astype(FLOAT)
    return [x, y, *weights]


def _checked(data: Any) -> Any:
    """An iterable, or a function that makes one."""
    is_table = hasattr(data, "__array__")
    if isinstance(data, Iterable) and not (is_table or isinstance(data, (str, bytes, dict))):
        return data
    if callable(data) and not isinstance(data, (type, Module)):
        return data
    hint = "; write fit((x, y))" if is_table else ""
    raise TypeError("data must be (x, y), Batches, an iterable of batches or a function that makes "
                    f"one, got {type(data).__name__}{hint}")


def check_again(source: Source, epochs: int) -> None:
    """Raise ValueError for a generator that would have to give its batches more than once."""
    if isinstance(source, Stream) and isinstance(source.data, GeneratorType) and epochs > 1:
        raise ValueError(
            f"a generator gives its batches only once, and {epochs} epochs are to come: pass the "
            "function that makes it, an object that can be iterated again, or, for one without an "
            "end, steps_per_epoch")


def takes_real_targets(loss: Any) -> bool:
    """Whether a loss may take real targets: any but those that say they take integers."""
    target_spec: Callable[..., Spec] | None = getattr(loss, "target_spec", None)
    if target_spec is None or getattr(loss, "joins_outputs", False):
        return True
    return target_spec(Spec((1, 1))).dtype == FLOAT

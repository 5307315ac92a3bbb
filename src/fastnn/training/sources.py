"""Sources of batches: arrays, `fastnn.data.Batches`, or any iterable of (x, y) or (x, y, weights).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import count, islice
from typing import Any, Protocol

import numpy as np

from fastnn.arguments import array_of
from fastnn.data import Batches
from fastnn.data.arrays import is_mapped
from fastnn.data.checks import IGNORED
from fastnn.engine.nesting import flat
from fastnn.spec import FLOAT, INDEX, Spec
from fastnn.training.example_weights import sample_weights

Batch = tuple[Any, ...]  # (x, y), or (x, y, the examples' weights)


class Source(Protocol):
    """What training draws from."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        ...

    def __len__(self) -> int:
        """Batches in an epoch; 0 if that is not known."""
        ...


class Drawn:
    """`Batches` that are drawn into reused memory and know their needs.

    working_bytes: what drawing takes beside the batch.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.working_bytes = batches.bytes_in_place

    def __len__(self) -> int:
        return len(self._batches)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return self._batches.epoch_in_place(epoch, start)

    @property
    def specs(self) -> list[tuple[Spec, ...]]:
        """Shapes and types of the batches of an epoch, the last smaller one at the end."""
        sizes = self._batches.sizes
        return [(Spec((size, *self._batches.x.shape[1:])),
                 Spec((size, *self._batches.y.shape[1:]),
                      FLOAT if self._batches.y.dtype.kind == "f" else INDEX)) for size in sizes]


class Weighed(Drawn):
    """`Drawn` batches with weights of their examples; weights: of all examples of `Batches`."""

    def __init__(self, batches: Batches, weights: np.ndarray) -> None:
        super().__init__(batches)
        self._weights = weights

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        order, size = self._batches.order(epoch), self._batches.batch_size
        batches = super().epoch(epoch, start)
        for number in range(start, len(self)):
            yield (*next(batches), self._weights[order[number * size:(number + 1) * size]])

    @property
    def specs(self) -> list[tuple[Spec, ...]]:
        return [(x, y, Spec((*x.shape[:1], *self._weights.shape[1:]))) for x, y in super().specs]


class _Iterable:
    """Batches of an iterable that may or may not know its length."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches) if isinstance(self._batches, Sized) else 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        numbers = count()
        # No variable keeps a batch here while the next one is drawn.
        yield from map(_parts, islice(self._batches, start, None), numbers)
        if next(numbers) == 0 and start == 0:
            raise ValueError(f"epoch {epoch} has no batches; an iterator gives its batches only "
                             "once: pass a list, or an object that can be iterated again")


def _parts(batch: Any, number: int) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise ValueError(f"batch {number}: expected a pair (x, y), or (x, y, weights), got "
                         f"{type(batch).__name__}")
    x, y, *weights = batch
    found = _arrays(x, f"batch {number}: x"), _arrays(y, f"batch {number}: y")
    examples = len(flat(found)[0])
    return (*found, *(sample_weights(each, examples, f"batch {number}: the weights")
                      for each in weights))


def _arrays(value: Any, name: str) -> Any:
    """One array, a list as an array, or a tuple of several."""
    if isinstance(value, list):
        return array_of(value, name)
    if not isinstance(value, tuple):
        return value
    if not value:
        raise ValueError(f"{name} is an empty tuple, expected an array or a tuple of arrays")
    return tuple(_arrays(inner, f"{name}[{i}]") for i, inner in enumerate(value))


def source(
    data: Any, batch_size: int, shuffle: bool, seed: int = 0, ignore_index: int = IGNORED
) -> Source:
    """Batches of arrays, of a `Batches`, or of any iterable.

    data: a tuple of arrays, (x, y) or (x, y, weights); `fastnn.data.Batches`; or an iterable of
    such tuples. ignore_index: the class number of arrays that the loss leaves out.

    Raises ValueError or TypeError for anything else.
    """
    if type(data) is Batches and data.is_in_place:
        return Drawn(data)
    if hasattr(data, "epoch") and hasattr(data, "__len__"):
        result: Source = data
        return result
    if isinstance(data, tuple):
        if len(data) not in (2, 3) or any(isinstance(part, (tuple, list)) or not np.ndim(part)
                                          for part in data):
            kinds = ", ".join(type(part).__name__ for part in data)
            raise ValueError("a tuple of data must be (x, y), two arrays, or (x, y, weights), "
                             f"got ({kinds}); a list becomes an array by np.array(y); for several "
                             "inputs or targets pass an iterable of batches")
        x, y, *weights = (part if is_mapped(part) else np.asarray(part) for part in data)
        batches = Batches(x, y, batch_size, shuffle, seed, ignore_index=ignore_index)
        if weights:
            return Weighed(batches, sample_weights(weights[0], len(x)))
        return Drawn(batches)
    if isinstance(data, Iterable) and not isinstance(data, (np.ndarray, str, dict)):
        return _Iterable(data)
    hint = "; write fit((x, y))" if isinstance(data, np.ndarray) else ""
    raise TypeError(f"data must be (x, y), Batches or an iterable of batches, "
                    f"got {type(data).__name__}{hint}")

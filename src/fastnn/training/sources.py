"""Where batches come from: arrays, `fastnn.data.Batches`, or any iterable of (x, y)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any, Protocol

import numpy as np

from fastnn.data import Batches
from fastnn.data.checks import IGNORED

Batch = tuple[Any, Any]


class Source(Protocol):
    """What training draws from."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start` on."""
        ...

    def __len__(self) -> int:
        """Batches in an epoch; 0 if that is not known."""
        ...


class _Iterable:
    """Batches of an iterable that may or may not know its length."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches) if isinstance(self._batches, Sized) else 0

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        count = 0
        for batch in islice(self._batches, start, None):
            if not isinstance(batch, (tuple, list)) or len(batch) != 2:
                raise ValueError(f"batch {count}: expected a pair (x, y), got "
                                 f"{type(batch).__name__}")
            count += 1
            yield batch[0], batch[1]
        if count == 0 and start == 0:
            raise ValueError(f"epoch {epoch} has no batches; an iterator gives its batches only "
                             "once: pass a list, or an object that can be iterated again")


def source(
    data: Any, batch_size: int, shuffle: bool, seed: int = 0, ignore_index: int = IGNORED
) -> Source:
    """Batches of (x, y) arrays, of a `Batches`, or of any iterable.

    data: a tuple (x, y) of arrays; `fastnn.data.Batches`; or an iterable of pairs.
    ignore_index: the class number of arrays that the loss leaves out.

    Raises ValueError or TypeError for anything else.
    """
    if hasattr(data, "epoch") and hasattr(data, "__len__"):
        result: Source = data
        return result
    if isinstance(data, tuple):
        if len(data) != 2 or any(isinstance(part, (tuple, list)) for part in data):
            kinds = ", ".join(type(part).__name__ for part in data)
            raise ValueError(f"a tuple of data must be (x, y), two arrays, got ({kinds}); a list "
                             "becomes an array by np.array(y); for several inputs or targets pass "
                             "an iterable of batches")
        return Batches(np.asarray(data[0]), np.asarray(data[1]), batch_size, shuffle, seed,
                       ignore_index=ignore_index)
    if isinstance(data, Iterable) and not isinstance(data, (np.ndarray, str, dict)):
        return _Iterable(data)
    hint = "; write fit((x, y))" if isinstance(data, np.ndarray) else ""
    raise TypeError(f"data must be (x, y), Batches or an iterable of batches, "
                    f"got {type(data).__name__}{hint}")

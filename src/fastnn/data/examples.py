"""Examples to fit to: an array, or batches that can be gone through again and again."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastnn.arguments import array_of
from fastnn.data.arrays import Array, as_float, pieces


class _FirstEpoch:
    """The batches of a `Batches` or alike, from the first one again each time."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Any]:
        epoch: Iterator[Any] = self._source.epoch(0)
        return epoch


class Examples:
    """Examples (n, ...) that are read in pieces, as often as needed, and never held as a whole.

    Args:
        x: an array, which may be memory-mapped; or an iterable of batches, each an array or a
            pair (x, y) of which x counts: a list, a `Batches`, an object of one's own whose
            `__iter__` begins anew. A generator is refused: fitting reads twice.
        name: of whom errors speak.

    Attributes:
        shape: that of one example. count: how many there were, after they were gone through once.

    Raises:
        TypeError: `x` is neither. ValueError: it is empty, of rank below 2, or a batch has
            another shape.

    Example:
        >>> len(list(Examples([np.zeros((3, 2)), np.zeros((4, 2))], "PCA()")))
        2
    """

    def __init__(self, x: Any, name: str) -> None:
        self._name, self.count = name, 0
        if isinstance(x, np.ndarray):
            self._batches: Iterable[Any] = (x,)
            self._is_stream = False
        elif hasattr(x, "epoch"):
            self._batches, self._is_stream = _FirstEpoch(x), True
        elif isinstance(x, Iterator) or not isinstance(x, Iterable) or isinstance(x, (str, bytes)):
            what = "a generator, which can be read once" if isinstance(x, Iterator) else \
                type(x).__name__
            raise TypeError(f"{name}: x must be an array or an iterable of batches that begins "
                            f"anew each time, such as a list, got {what}")
        else:
            self._batches, self._is_stream = x, True
        self.shape = self._first()

    def _first(self) -> tuple[int, ...]:
        for number, batch in enumerate(self._batches):
            return self._array(batch, number).shape[1:]
        raise ValueError(f"{self._name}: x has no batches, expected at least one")

    def _array(self, batch: Any, number: int) -> Array:
        found = batch[0] if isinstance(batch, (tuple, list)) and self._is_stream else batch
        where = f"batch {number} of x" if self._is_stream else "x"
        array: Array = found if isinstance(found, np.ndarray) else array_of(found, where)
        if array.ndim < 2 or 0 in array.shape:
            raise ValueError(f"{self._name}: {where} has shape {array.shape}, expected "
                             "(n, features) or (n, channels, height, width), not empty")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{self._name}: {where} has dtype {array.dtype}, expected numbers")
        return array

    def __iter__(self) -> Iterator[Array]:
        """Pieces of up to 8 MiB, in floating point (see `as_float`)."""
        count = 0
        for number, batch in enumerate(self._batches):
            array = self._array(batch, number)
            if array.shape[1:] != self.shape:
                raise ValueError(f"{self._name}: batch {number} of x has examples of shape "
                                 f"{array.shape[1:]}, those before had {self.shape}")
            count += len(array)
            for piece in pieces(array):
                yield as_float(piece)
        self.count = count

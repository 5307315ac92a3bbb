"""The shapes and the memory of a data set, from only the headers of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.data.arrays import PIECE_VALUES, Array, is_mapped
from fastnn.data.dataset import Dataset

CHECKING = 24  # bytes for each number of a piece that is checked and standardised


@dataclass(frozen=True)
class Outline:
    """A data set that is not loaded yet.

    Attributes:
        data: the future data set; its examples are zeros that take no memory.
        decoding: bytes that decoding takes beside its result, one file after the other.

    Example:
        >>> x = stand_in((1000, 3, 500, 500), np.uint8)
        >>> Outline(Dataset((x, np.zeros(1000, np.int64)), None, ("a",), ""), 0).bytes
        750000000
    """

    data: Dataset
    decoding: int = 0

    @property
    def bytes(self) -> int:
        """Bytes that its examples will take; a memory-mapped file takes none."""
        return sum(x.nbytes for x in self._examples if not is_mapped(x))

    @property
    def peak_bytes(self) -> int:
        """The most bytes of loading, checking and standardising examples, including themselves."""
        largest = max(x.size for x in self._examples)
        return self.bytes + max(self.decoding, CHECKING * min(largest, PIECE_VALUES))

    @property
    def _examples(self) -> list[Array]:
        return [split[0] for split in (self.data.train, self.data.test) if split is not None]


def stand_in(shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros of a shape and type that take the memory of one number.

    >>> stand_in((2, 3), np.int16).strides
    (0, 0)
    """
    return np.broadcast_to(np.zeros((), dtype), shape)

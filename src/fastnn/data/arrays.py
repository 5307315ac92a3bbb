"""Read arrays in pieces, so that a memory-mapped file larger than memory stays on disk."""

import math
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# 8 MiB once a piece is float64, which bounds what fitting and checking need beside the data.
PIECE_VALUES = 2**20
# Touching one byte of a mapped file can map 2 MiB, the largest unit of Linux's page cache.
RELEASE_ROWS = 16


def as_float(x: Array) -> Array:
    """Return `x` as floating point: uint8 becomes float32 in [0, 1], float64 stays as it is.

    Every other real type becomes float32 with its values unchanged. Preprocessing and batching
    both convert here, so statistics fitted on uint8 images fit the batches made of them.

    Args:
        x: any shape, of a real dtype in any byte order.

    Returns:
        float32 or float64 in native byte order, of the shape of `x`; `x` itself where it has
        the right type already.

    Example:
        >>> as_float(np.array([0, 51, 255], np.uint8))
        array([0. , 0.2, 1. ], dtype=float32)
    """
    if x.dtype == np.uint8:
        return np.divide(x, np.float32(255), dtype=np.float32)
    is_double = x.dtype.kind == "f" and x.dtype.itemsize == 8
    return x.astype(np.float64 if is_double else np.float32, copy=False)


def is_mapped(x: Array) -> bool:
    """Say whether `x` reads from a memory-mapped file (a view of one counts)."""
    return isinstance(x, np.memmap)


def release(x: Array) -> None:
    """Hand the pages of a read-only memory map back, so they stop counting as resident.

    They stay in the system's page cache: without this the process's resident set would grow to
    the size of the file. Does nothing for other arrays.
    """
    # Only mode "r": in copy-on-write maps the advice would throw the caller's changes away.
    if not isinstance(x, np.memmap) or x.mode != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return
    owner: Any = x
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    if owner is not None:
        owner.madvise(mmap.MADV_DONTNEED)


def pieces(x: Array, piece_values: int = PIECE_VALUES) -> Iterator[Array]:
    """Yield `x` in consecutive slices along its first axis, of up to `piece_values` numbers.

    Args:
        x: (n, ...), any dtype.
        piece_values: the size of a slice; but a slice holds at least one example.

    Example:
        >>> [len(piece) for piece in pieces(np.zeros((5, 2)), piece_values=4)]
        [2, 2, 1]
    """
    rows = max(1, piece_values // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), rows):
        # A plain array: arithmetic on np.memmap objects is slower and returns np.memmap.
        yield np.asarray(x[start : start + rows])
        release(x)


def gather(x: Array, indices: npt.NDArray[np.int64]) -> Array:
    """Return `x[indices]` in memory, reading a memory-mapped file from front to back.

    Args:
        x: (n, ...), any dtype.
        indices: (m,), each in 0..n-1, in any order.

    Returns:
        (m, ...), a C-contiguous copy of the dtype of `x`.

    Example:
        >>> gather(np.array([10, 20, 30]), np.array([2, 0]))
        array([30, 10])
    """
    if not is_mapped(x):
        return np.ascontiguousarray(x[indices])
    order = np.argsort(indices)
    result = np.empty((len(indices), *x.shape[1:]), x.dtype)
    for start in range(0, len(order), RELEASE_ROWS):
        rows = order[start : start + RELEASE_ROWS]
        result[rows] = x[indices[rows]]
        release(x)
    return result

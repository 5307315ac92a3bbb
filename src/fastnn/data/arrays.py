"""Read arrays in pieces, so that a memory-mapped file larger than memory stays on disk."""

import math
import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# 8 MiB once a piece is float64, which bounds what fitting and checking need beside the data.
PIECE_VALUES = 2**20
# Touching one byte of a mapped file can map 2 MiB, the largest unit of Linux's page cache.
MAPPED = 2 << 20
RELEASE_ROWS = 4  # so that reading a map counts as 8 MiB at most
GATHER_BYTES = 1 << 20  # of the examples that are gathered at a time


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
    """Hand the pages of a memory map back, so that they no longer count as resident.

    They stay in the system's page cache: without this the process's resident set would grow to
    the size of the file. Does nothing for other arrays.
    """
    # In copy-on-write maps the advice would discard the caller's changes.
    if not isinstance(x, np.memmap) or x.mode == "c" or not hasattr(mmap, "MADV_DONTNEED"):
        return
    owner = _map_of(x)
    if owner is not None:
        owner.madvise(mmap.MADV_DONTNEED)


def check_whole(x: Array) -> None:
    """Raise ValueError if the file of a memory map has been cut short since it was mapped.

    Reading beyond the end of the file would kill the process (SIGBUS).
    """
    if not isinstance(x, np.memmap):
        return
    owner = _map_of(x)
    if owner is None:
        return
    start = x.offset - x.offset % mmap.ALLOCATIONGRANULARITY
    size, expected = owner.size(), start + len(owner)
    if size < expected:
        raise ValueError(f"{x.filename or 'a memory map'}: has {size} bytes, {expected} when it "
                         "was mapped: it was cut short meanwhile")


def _map_of(x: Array) -> mmap.mmap | None:
    owner: Any = x
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner


def pieces(x: Array, piece_values: int = PIECE_VALUES) -> Iterator[Array]:
    """Yield `x` in consecutive slices along its first axis, of up to `piece_values` numbers.

    Args:
        x: (n, ...), any dtype.
        piece_values: the size of a slice; but a slice holds at least one example.

    Raises:
        ValueError: the file of a memory map was cut short.

    Example:
        >>> [len(piece) for piece in pieces(np.zeros((5, 2)), piece_values=4)]
        [2, 2, 1]
    """
    rows = max(1, piece_values // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), rows):
        check_whole(x)
        # A plain array: arithmetic on np.memmap objects is slower and returns np.memmap.
        yield np.asarray(x[start : start + rows])
        release(x)


def gather(
    x: Array,
    indices: npt.NDArray[np.int64],
    out: Array,
    convert: Callable[[Array], Array] = np.asarray,
) -> None:
    """Fill `out` with `convert(x[indices])`, some examples at a time.

    A memory-mapped file is read from front to back. Beside `out` it takes `gather_bytes`.

    Args:
        x: (n, ...), any dtype.
        indices: (m,), each in 0..n-1, in any order.
        out: (m, ...), of any real dtype.
        convert: what is done to each piece before it is written to `out`.

    Raises:
        ValueError: the file of a memory map was cut short.

    Example:
        >>> out = np.empty(2)
        >>> gather(np.array([10, 20, 30]), np.array([2, 0]), out)
        >>> out
        array([30., 10.])
    """
    order = np.argsort(indices) if is_mapped(x) else None
    rows = _rows_at_a_time(x)
    for start in range(0, len(indices), rows):
        part = slice(start, start + rows)
        places = part if order is None else order[part]
        check_whole(x)
        out[places] = convert(np.asarray(x[indices[places]]))
        release(x)


def gather_bytes(x: Array) -> int:
    """How much memory `gather` takes beside its result, with `as_float` as conversion."""
    rows = _rows_at_a_time(x)
    values = rows * math.prod(x.shape[1:])
    mapped = rows * MAPPED + 2 * values * x.itemsize if is_mapped(x) else 0
    return values * (x.itemsize + np.dtype(np.float32).itemsize) + mapped


def _rows_at_a_time(x: Array) -> int:
    rows = max(1, GATHER_BYTES // max(1, math.prod(x.shape[1:]) * x.itemsize))
    return min(rows, RELEASE_ROWS) if is_mapped(x) else rows

"""Memory for plans: aligned, staggered, and backed by huge pages where they pay.

4K aliasing: a load waits for an earlier store if the last 12 bits of their addresses are equal, and
such lines share one set of the L1 cache. Large buffers that all begin at a multiple of 4096 would
suffer from it, since they are read and written side by side. So each begins at another offset.
"""

from __future__ import annotations

import itertools
import mmap

import numpy as np

ALIGNMENT = 64
HUGE_PAGE = 2 << 20
PAGE = 4096
STAGGERED = 64 << 10  # buffers from this size on; the stagger costs each at most a page
# 39 of the 64 cache lines of a page: near the golden ratio, and coprime to 64. So 64 buffers in a
# row begin at 64 different lines, and neighbours lie far apart.
STRIDE = 39 * ALIGNMENT
# By default Python's anonymous maps are shared with forked children, which would then write into
# each other's arenas and weights; and Linux has no huge pages for shared maps.
PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
_numbers = itertools.count()


def stagger(number: int) -> int:
    """The offset in a page at which the large buffer `number` begins.

    >>> [stagger(number) for number in range(4)]
    [0, 2496, 896, 3392]
    """
    return number * STRIDE % PAGE


def aligned_bytes(size: int) -> np.ndarray:
    """`size` zeroed bytes that start on a cache line, or on a huge page from 2 MiB up."""
    if size >= HUGE_PAGE:
        try:
            block = mmap.mmap(-1, size + HUGE_PAGE, **PRIVATE)
        except (OSError, OverflowError):
            raise MemoryError(f"the system has no {size:,} bytes of memory to give") from None
        memory, alignment = np.frombuffer(block, np.uint8), HUGE_PAGE
        _advise(block, -memory.ctypes.data % HUGE_PAGE, size)
    else:
        memory, alignment = np.zeros(size + ALIGNMENT, np.uint8), ALIGNMENT
    start = -memory.ctypes.data % alignment
    return memory[start:start + size]


def _advise(block: mmap.mmap, start: int, size: int) -> None:
    """Ask for huge pages, except for one that crosses the end: all of it would be resident."""
    whole = size // HUGE_PAGE * HUGE_PAGE
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE, start, whole)
        if whole < size:
            block.madvise(mmap.MADV_NOHUGEPAGE, start + whole, size - whole)


def aligned_array(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """A zeroed C-contiguous array that starts on a cache line; a large one staggered."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    if size < STAGGERED:
        return aligned_bytes(size).view(kind).reshape(shape)
    memory = aligned_bytes(size + PAGE)
    start = (stagger(next(_numbers)) - memory.ctypes.data) % PAGE
    return memory[start:start + size].view(kind).reshape(shape)

"""Memory for plans: aligned, and backed by huge pages where they pay."""

from __future__ import annotations

import mmap

import numpy as np

ALIGNMENT = 64
HUGE_PAGE = 2 << 20


def aligned_bytes(size: int) -> np.ndarray:
    """`size` bytes that start on a cache line; on a huge page from 2 MiB up. Contents are zero."""
    if size >= HUGE_PAGE:
        try:
            block = mmap.mmap(-1, size + HUGE_PAGE)
        except (OSError, OverflowError):
            raise MemoryError(f"the system has no {size:,} bytes of memory to give") from None
        if hasattr(mmap, "MADV_HUGEPAGE"):
            block.madvise(mmap.MADV_HUGEPAGE)
        memory, alignment = np.frombuffer(block, np.uint8), HUGE_PAGE
    else:
        memory, alignment = np.zeros(size + ALIGNMENT, np.uint8), ALIGNMENT
    start = -memory.ctypes.data % alignment
    return memory[start:start + size]


def aligned_array(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """A zeroed C-contiguous array that starts on a cache line."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    return aligned_bytes(size).view(kind).reshape(shape)

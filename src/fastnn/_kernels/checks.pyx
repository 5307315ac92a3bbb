"""Fast looks at arrays from outside: are all values finite, in which range do integers lie."""

import numpy as np

from libc.stdint cimport int64_t, uint32_t, uintptr_t


def all_finite(array):
    """Whether a C-contiguous float32 array has neither NaN nor infinity."""
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError(f"expected contiguous float32, got {array.dtype}")
    cdef const uint32_t *x = <const uint32_t *> <uintptr_t> array.ctypes.data
    cdef int64_t i, n = array.size
    cdef uint32_t bad = 0
    with nogil:
        for i in range(n):
            bad |= <uint32_t> ((x[i] & 0x7f800000) == 0x7f800000)
    return bad == 0


def index_range(array, int64_t ignored):
    """(least, largest) of a C-contiguous int64 array, without the values `ignored`."""
    if array.dtype != np.int64 or not array.flags.c_contiguous:
        raise ValueError(f"expected contiguous int64, got {array.dtype}")
    cdef const int64_t *x = <const int64_t *> <uintptr_t> array.ctypes.data
    cdef int64_t i, n = array.size, least = 2**62, largest = -2**62
    with nogil:
        for i in range(n):
            if x[i] != ignored:
                least = min(least, x[i])
                largest = max(largest, x[i])
    return least, largest

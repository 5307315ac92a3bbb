"""Fast checks of input arrays: whether all values are finite, and the range of integers."""

import numpy as np

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.arrays.table cimport simd


def all_finite(array):
    """Whether a C-contiguous float32 array has neither NaN nor infinity."""
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError(f"expected contiguous float32, got {array.dtype}")
    cdef const float *x = <const float *> <uintptr_t> array.ctypes.data
    cdef int64_t n = array.size
    cdef bint finite
    with nogil:
        finite = simd.all_finite(n, x)
    return finite


def index_range(array, int64_t ignored):
    """(least, largest) of a C-contiguous int64 array, without the values `ignored`."""
    if array.dtype != np.int64 or not array.flags.c_contiguous:
        raise ValueError(f"expected contiguous int64, got {array.dtype}")
    cdef const int64_t *x = <const int64_t *> <uintptr_t> array.ctypes.data
    cdef int64_t n = array.size
    cdef int64_t limits[2]
    with nogil:
        range_of(x, n, ignored, limits)
    return limits[0], limits[1]


cdef void range_of(const int64_t *x, int64_t n, int64_t ignored, int64_t *limits) noexcept nogil:
    """limits = least and largest of x[n] without `ignored`; none: least > largest."""
    cdef int64_t i, least = 2**62, largest = -2**62
    for i in range(n):
        if x[i] != ignored:
            least = min(least, x[i])
            largest = max(largest, x[i])
    limits[0] = least
    limits[1] = largest

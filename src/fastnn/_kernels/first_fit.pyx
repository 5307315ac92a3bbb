"""Pack intervals of time: each buffer at the lowest offset that is free while it lives."""

from libc.stdint cimport int64_t
from libc.string cimport memmove

import numpy


def first_fit(const int64_t[::1] sizes, const int64_t[::1] first, const int64_t[::1] last):
    """The offset of each buffer, placed one after the other in this order.

    sizes: bytes; first, last: the steps from which and through which each lives. Two that live at
    the same step do not overlap.
    """
    cdef int64_t count = sizes.shape[0], i, k, where, floor
    offsets = numpy.empty(count, numpy.int64)
    cdef int64_t[::1] offset = offsets
    cdef int64_t[::1] placed = numpy.empty(count, numpy.int64)  # buffers by offset
    for i in range(count):
        floor, where = 0, i
        for k in range(i):
            if first[placed[k]] > last[i] or last[placed[k]] < first[i]:
                continue
            if offset[placed[k]] >= floor + sizes[i]:
                break
            floor = max(floor, offset[placed[k]] + sizes[placed[k]])
        offset[i] = floor
        for k in range(i):
            if offset[placed[k]] >= floor:
                where = k
                break
        memmove(&placed[where + 1] if where < i else &placed[i], &placed[where],
                (i - where) * sizeof(int64_t))
        placed[where] = i
    return offsets

"""The inner loops of the dynamic program over a chain of blocks (`plan.recompute.chain`)."""

from libc.stdint cimport int16_t, int64_t

import numpy

cdef enum:
    FORWARD_PEAK, BACKWARD_PEAK, HELD  # columns of `options`


cpdef int64_t row_of(int64_t first, int64_t last) noexcept:
    """The row of blocks first..last in a table: a triangle, since last >= first."""
    return last * (last + 1) // 2 + first


cdef int64_t units(int64_t size, int64_t unit) noexcept:
    """Rounded up."""
    return (size + unit - 1) // unit


def fill(const int64_t[:, ::1] crossing, const int64_t[:, ::1] held, const int64_t[::1] arriving,
         const double[::1] recompute, const int64_t[::1] starts, const int64_t[:, ::1] options,
         const double[::1] option_seconds, int64_t unit, int64_t slots):
    """seconds[row_of(s, t), m] of blocks s..t within m units, and the choice that gives them.

    Sizes are in bytes, except what is held, which is in units: held[s, k] of what crosses into
    block k, and HELD of an option. The options of block s are the rows starts[s] to
    starts[s + 1] - 1; the last keeps least. A choice is k > s (recompute s..k-1 later) or option
    -choice - 1.
    """
    cdef int64_t count = recompute.shape[0], first, last, cut, row, m, need, reach, holds
    cdef double more
    table = numpy.full((row_of(0, count), slots + 1), numpy.inf, numpy.float32)
    chosen = numpy.zeros((row_of(0, count), slots + 1), numpy.int16)
    cdef float[:, ::1] seconds = table
    cdef int16_t[:, ::1] choice = chosen
    cdef float *best
    cdef int16_t *pick
    cdef const float *inner
    cdef const float *outer
    for last in range(count):
        for first in range(last, -1, -1):
            best, pick = &seconds[row_of(first, last), 0], &choice[row_of(first, last), 0]
            for row in range(starts[first], starts[first + 1]):
                need = units(max(options[row, FORWARD_PEAK] + arriving[last],
                                 options[row, BACKWARD_PEAK] + arriving[first]), unit)
                more, holds = recompute[first] + option_seconds[row], options[row, HELD]
                if first == last:
                    for m in range(need, slots + 1):
                        if more < best[m]:
                            best[m], pick[m] = <float> more, <int16_t> (starts[first] - row - 1)
                    continue
                inner = &seconds[row_of(first + 1, last), 0]
                for m in range(max(need, holds), slots + 1):
                    if inner[m - holds] + more < best[m]:
                        best[m] = <float> (inner[m - holds] + more)
                        pick[m] = <int16_t> (starts[first] - row - 1)
            reach, more = 0, 0
            for cut in range(first + 1, last + 1):
                reach = max(reach, crossing[first, cut - 1]
                            + options[starts[cut] - 1, FORWARD_PEAK])
                more += recompute[cut - 1]
                need, holds = units(reach + arriving[last], unit), held[first, cut]
                inner = &seconds[row_of(cut, last), 0]
                outer = &seconds[row_of(first, cut - 1), 0]
                for m in range(max(need, holds), slots + 1):
                    if inner[m - holds] + outer[m] + more < best[m]:
                        best[m] = <float> (inner[m - holds] + outer[m] + more)
                        pick[m] = <int16_t> cut
    return table, chosen

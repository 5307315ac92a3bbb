"""What other passes over schedules read of a Flow."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    LEAF = -1  # a view of a parameter or of the batch; below it: not a view


cdef class Flow:
    cdef const int64_t[::1] in_starts, in_items, out_starts, out_items, over_starts, over_items
    cdef const int64_t[::1] view, workspace, sizes, reserved
    cdef const uint8_t[::1] results
    cdef int64_t tasks

    cdef _reserve(self, int64_t[::1] made_at, int64_t[::1] base, int64_t[::1] end,
                  int64_t[::1] value_of, int64_t[::1] change)
    cdef _write_over(self, int64_t[::1] row_of, int64_t[::1] read, int64_t[::1] base,
                     int64_t[::1] end, int64_t[::1] value_of, int64_t[::1] change)

"""Run the parts of a kernel's work on the threads of a team; parts depend only on the shape."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

# Does part number `part` of a kernel; arguments as of the kernel.
ctypedef void (*part_fn)(char **p, const int64_t *d, const double *s, int64_t part) noexcept nogil


cdef inline void run_parts(part_fn run, char **p, const int64_t *d, const double *s,
                           int64_t parts, int64_t serial_parts, int threads) noexcept nogil:
    """Run parts 0 .. parts - 1; up to `serial_parts` parts run on this thread alone.

    Even a team of one costs most of a microsecond, so small work does not enter OpenMP.
    """
    cdef int64_t part
    if threads <= 1 or parts <= serial_parts:
        for part in range(parts):
            run(p, d, s, part)
    else:
        for part in prange(parts, num_threads=threads, schedule="static"):
            run(p, d, s, part)

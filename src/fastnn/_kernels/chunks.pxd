"""Run the chunks of a kernel's work on the threads of a team; chunks depend only on the shape."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

# Does chunk number `chunk` of a kernel; arguments as of the kernel.
ctypedef void (*chunk_fn)(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil


cdef inline void run_chunks(chunk_fn run, char **p, const int64_t *d, const double *s,
                            int64_t chunks, int64_t serial_chunks, int threads) noexcept nogil:
    """Run chunks 0 .. chunks - 1; up to `serial_chunks` chunks run on this thread alone.

    Even a team of one costs most of a microsecond, so small work does not enter OpenMP.
    """
    cdef int64_t chunk
    if threads <= 1 or chunks <= serial_chunks:
        for chunk in range(chunks):
            run(p, d, s, chunk)
    else:
        for chunk in prange(chunks, num_threads=threads, schedule="static"):
            run(p, d, s, chunk)

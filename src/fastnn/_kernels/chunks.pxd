"""Run the chunks of a kernel's work on the threads of a team; chunks depend only on the shape."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

# Does chunk number `chunk` of a kernel; arguments as of the kernel.
ctypedef void (*chunk_fn)(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil


cdef inline int64_t count_chunks(int64_t items, int64_t size) noexcept nogil:
    """Chunks of `size` items; the last may have fewer."""
    return (items + size - 1) // size


cdef inline int64_t chunk_size(int64_t items, int64_t size, int64_t chunk) noexcept nogil:
    """Items of a chunk."""
    return min(size, items - chunk * size)


cdef inline bint runs_alone(int64_t chunks, int64_t serial_chunks, int threads) noexcept nogil:
    """Whether one thread runs all: even a team of one costs most of a microsecond."""
    return threads <= 1 or chunks <= serial_chunks


cdef inline void run_chunks(chunk_fn run, char **p, const int64_t *d, const double *s,
                            int64_t chunks, int64_t serial_chunks, int threads) noexcept nogil:
    """Run chunks 0 .. chunks - 1; up to `serial_chunks` chunks run on this thread alone."""
    cdef int64_t chunk
    if runs_alone(chunks, serial_chunks, threads):
        for chunk in range(chunks):
            run(p, d, s, chunk)
    else:
        for chunk in prange(chunks, num_threads=threads, schedule="static"):
            run(p, d, s, chunk)


cdef inline void run_flat(chunk_fn run, char **p, const int64_t *d, const double *s, int64_t items,
                          int64_t size, int64_t serial_chunks, int threads) noexcept nogil:
    """run_chunks for chunks of `size` items."""
    run_chunks(run, p, d, s, count_chunks(items, size), serial_chunks, threads)

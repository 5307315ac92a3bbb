"""The first values of each row in order, with their places: sorting, and the k largest."""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uint64_t, uintptr_t

from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.chunks cimport chunk_size, count_chunks, runs_alone

from fastnn._kernels.chunks import flat_loads

cdef enum:
    CHUNK = 8192  # about the values of a chunk of rows
    SERIAL = 1    # chunks that are not worth a team of threads
    FEW = 32      # values of a row that are chosen without sorting it


cdef inline int64_t _rows_of_chunk(int64_t n) noexcept nogil:
    return max(CHUNK // max(n, 1), 1)


cdef inline bint _selects(int64_t n, int64_t k) noexcept nogil:
    return k <= FEW and 4 * k <= n


cdef inline int64_t _scratch(int64_t n, int64_t k) noexcept nogil:
    """Keys that a thread needs."""
    return k if _selects(n, k) else 2 * n


cdef void sort_rows(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """values[row, k], places[row, k] = the first k of each row of x in order; overwritten.

    Equal values keep their order; NaN is above all, -0 equals 0.
    p: x[rows, n], values, places (int64), workspace.  d: rows, n, k (up to n), descending.
    """
    cdef int64_t rows = d[0], n = d[1], k = d[2], each = _rows_of_chunk(n), chunk
    cdef int64_t chunks = count_chunks(rows, each) if k else 0
    cdef uint64_t *scratch = <uint64_t *> p[3]
    if runs_alone(chunks, SERIAL, threads):
        for chunk in range(chunks):
            _sort_chunk(p, d, chunk, each, scratch)
    else:
        for chunk in prange(chunks, num_threads=threads, schedule="static"):
            _sort_chunk(p, d, chunk, each, scratch + threadid() * _scratch(n, k))


cdef void _sort_chunk(char **p, const int64_t *d, int64_t chunk, int64_t each,
                      uint64_t *scratch) noexcept nogil:
    cdef int64_t n = d[1], k = d[2], row, first = chunk * each
    cdef bint selects = _selects(n, k)
    for row in range(first, first + chunk_size(d[0], each, chunk)):
        (simd.select_row if selects else simd.sort_row)(
            n, k, <const float *> p[0] + row * n, d[3] != 0, <float *> p[1] + row * k,
            <int64_t *> p[2] + row * k, scratch)


def _extents(d, threads):
    rows, n, k, _descending = d
    if min(rows, k) < 0 or not k <= n < 2**32:
        raise ValueError(f"sort_rows takes up to {2**32 - 1} values in a row, of which k, not {n}, "
                         f"of which {k}")
    return 4 * rows * n, 4 * rows * k, 8 * rows * k, 8 * _scratch(n, k) * threads


def _loads(d, threads):
    """Values that each thread is dealt."""
    rows, n, k, _descending = d
    if not k:
        return [0] * threads
    return [n * rows for rows in flat_loads(rows, _rows_of_chunk(n), SERIAL, threads)]


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {"sort_rows": (<uintptr_t> &sort_rows, _extents, _loads)}

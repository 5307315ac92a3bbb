"""Elements of columns by their places: y[o, k, i] = x[o, index[o, k, i], i]; and the adjoint."""

from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.chunks cimport chunk_size, run_flat
from fastnn._kernels.sizes cimport larger, smaller

from fastnn._kernels.chunks import flat_loads

cdef enum:
    CHUNK = 16384       # elements of y, and of dx that are set to zero
    SERIAL = 2          # chunks that are not worth a team of threads
    COLUMNS = 64        # of dx in a chunk, about
    LEAST = 8192        # elements of y that are worth a chunk of sums


# Both kernels' sizes.
ctypedef struct problem:
    int64_t outer, rows, places, inner, words


cdef void gather(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[o, k, i] = x[o, index[o, k, i], i], 0 for a place outside of x; overwritten.

    p: x[outer, rows, inner], index int64[outer, places, inner], y[outer, places, inner].
    d: outer, rows, places, inner, words of 4 bytes in each element of x and y: 1 or 2.
    """
    cdef const problem *g = <const problem *> d
    run_flat(_gather_chunk, p, d, s, g.outer * g.places * g.inner, CHUNK, SERIAL, threads)


cdef void _gather_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const problem *g = <const problem *> d
    cdef const int64_t *index = <const int64_t *> p[1]
    cdef int64_t at = chunk * CHUNK, place, source
    cdef int64_t inner = at % g.inner, line = at // g.inner, base = line // g.places * g.rows
    cdef int64_t k = line % g.places
    for at in range(at, at + chunk_size(g.outer * g.places * g.inner, CHUNK, chunk)):
        place = index[at]
        source = (base + place) * g.inner + inner if 0 <= place < g.rows else -1
        if g.words == 1:
            (<int32_t *> p[2])[at] = 0 if source < 0 else (<const int32_t *> p[0])[source]
        else:
            (<int64_t *> p[2])[at] = 0 if source < 0 else (<const int64_t *> p[0])[source]
        inner += 1
        if inner == g.inner:
            inner = 0
            k += 1
            if k == g.places:
                k = 0
                base += g.rows


# Columns (o, i) of dx that a chunk owns.
cdef int64_t columns_per_chunk(const problem *g) noexcept nogil:
    return larger(COLUMNS, LEAST // larger(1, g.places))


cdef void gather_backward(char **p, const int64_t *d, const double *s,
                          int threads) noexcept nogil:
    """dx[o, r, i] = sum of dy[o, k, i] over all k in order with index[o, k, i] = r; overwritten.

    Places outside of dx are left out.
    p: dy[outer, places, inner], index int64 like dy, dx[outer, rows, inner].  d: as gather.
    """
    cdef const problem *g = <const problem *> d
    run_flat(_zero_chunk, p, d, s, g.outer * g.rows * g.inner, CHUNK, SERIAL, threads)
    run_flat(_sum_chunk, p, d, s, g.outer * g.inner, columns_per_chunk(g), 1, threads)


cdef void _zero_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const problem *g = <const problem *> d
    memset(<float *> p[2] + chunk * CHUNK, 0,
           chunk_size(g.outer * g.rows * g.inner, CHUNK, chunk) * sizeof(float))


cdef void _sum_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const problem *g = <const problem *> d
    cdef const float *dy = <const float *> p[0]
    cdef const int64_t *index = <const int64_t *> p[1]
    cdef float *dx = <float *> p[2]
    cdef int64_t column = chunk * columns_per_chunk(g), k, i, at, outer, inner, end
    cdef int64_t left = chunk_size(g.outer * g.inner, columns_per_chunk(g), chunk)
    while left > 0:
        outer, inner = column // g.inner, column % g.inner
        end = smaller(g.inner, inner + left)
        for k in range(g.places):
            at = (outer * g.places + k) * g.inner
            for i in range(inner, end):
                if 0 <= index[at + i] < g.rows:
                    dx[(outer * g.rows + index[at + i]) * g.inner + i] += dy[at + i]
        column += end - inner
        left -= end - inner


def _extents(d, threads):
    outer, rows, places, inner, words = d
    if words not in (1, 2):
        raise ValueError(f"gather: elements have 1 or 2 words, not {words}")
    y = 4 * words * outer * places * inner
    return 4 * words * outer * rows * inner, 8 * outer * places * inner, y


def _backward_extents(d, threads):
    x, index, y = _extents(d, threads)
    if d[4] != 1:
        raise ValueError("gather_backward: only floats have sums")
    return y, index, x


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(d[0] * d[2] * d[3], CHUNK, SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "gather": (<uintptr_t> &gather, _extents, _loads),
    "gather_backward": (<uintptr_t> &gather_backward, _backward_extents),
}

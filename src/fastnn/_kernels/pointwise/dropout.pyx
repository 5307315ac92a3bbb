"""Dropout without a stored mask: the random number of an element is a function of its position."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, run_flat
from fastnn._kernels.dispatch cimport LEVEL

from fastnn._kernels.chunks import flat_loads

cdef extern from "pointwise/simd/dropout.h":
    ctypedef struct dropout_table:
        void (*dropout)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                        const float *x, float *y) noexcept nogil
    const dropout_table *dropout_at(int level) noexcept nogil

cdef const dropout_table *simd = dropout_at(LEVEL)

cdef enum:
    CHUNK = 16384
    SERIAL = 2  # chunks that are not worth a team of threads


cdef void dropout(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = x[n] / (1 - p) where kept, else 0.  The gradient is the same kernel on dy.

    p: x, y, key (uint64[2]: seed, step).  d: n, node.  s: p, the probability to drop.
    Element i is kept or not by a random number of (seed, step, node, i) alone.  x may be y.
    """
    run_flat(_dropout_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _dropout_chunk(char **p, const int64_t *d, const double *s,
                         int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK
    simd.dropout(at, chunk_size(d[0], CHUNK, chunk), <const uint64_t *> p[2], <uint32_t> d[1],
                 s[0], <const float *> p[0] + at, <float *> p[1] + at)


def _dropout_extents(d, threads):
    n, node = d
    if not 0 <= node < 2 ** 32:
        raise ValueError(f"dropout: node {node} does not fit 32 bits")
    return 4 * n, 4 * n, 16


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(d[0], CHUNK, SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {"dropout": (<uintptr_t> &dropout, _dropout_extents, _loads)}

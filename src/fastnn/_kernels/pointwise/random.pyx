"""Random numbers: each is a function of its position, so that nothing is stored to redraw them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, run_flat
from fastnn._kernels.dispatch cimport LEVEL

from fastnn._kernels.chunks import flat_loads

cdef extern from "pointwise/simd/random.h":
    ctypedef void (*random_fn)(int64_t first, int64_t n, const uint64_t *key, uint32_t node,
                               float *y) noexcept nogil
    ctypedef struct random_table:
        random_fn uniform
        random_fn normal
    const random_table *random_at(int level) noexcept nogil

cdef const random_table *simd = random_at(LEVEL)

cdef enum:
    CHUNK = 8192
    SERIAL = 2  # chunks that are not worth a team of threads


cdef void random_uniform(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = numbers from 0 on and below 1, whole multiples of 2^-24, overwritten.

    p: key (uint64[2]: seed, step), y.  d: n, node.
    Element i is a function of (seed, step, node, i) alone.
    """
    run_flat(_uniform_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _uniform_chunk(char **p, const int64_t *d, const double *s,
                         int64_t chunk) noexcept nogil:
    _draw(simd.uniform, p, d, chunk)


cdef void random_normal(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = standard normal numbers, none beyond 6.7, overwritten.

    p, d: as random_uniform.
    """
    run_flat(_normal_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _normal_chunk(char **p, const int64_t *d, const double *s,
                        int64_t chunk) noexcept nogil:
    _draw(simd.normal, p, d, chunk)


cdef void _draw(random_fn draw, char **p, const int64_t *d, int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK
    draw(at, chunk_size(d[0], CHUNK, chunk), <const uint64_t *> p[0], <uint32_t> d[1],
         <float *> p[1] + at)


def _extents(d, threads):
    n, node = d
    if not 0 <= node < 2 ** 32:
        raise ValueError(f"random numbers: node {node} does not fit 32 bits")
    return 16, 4 * n


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(d[0], CHUNK, SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "random_uniform": (<uintptr_t> &random_uniform, _extents, _loads),
    "random_normal": (<uintptr_t> &random_normal, _extents, _loads),
}

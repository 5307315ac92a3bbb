"""Sums over one axis, and the check that all values are finite."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.dispatch cimport simd

cdef enum:
    CHUNK = 16384


cdef void reduce_sum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[outer, inner] = scale * sum over reduce of x[outer, reduce, inner], overwritten.

    p: x, y, workspace.  d: outer, reduce, inner.  s: scale.
    """
    cdef int64_t outer = d[0], reduce = d[1], inner = d[2], i, j
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    cdef double *sums = <double *> p[2]
    for i in range(outer):
        simd.sum_rows(reduce, inner, x + i * reduce * inner, inner, sums)
        for j in range(inner):
            y[i * inner + j] = <float> (s[0] * sums[j])


cdef void all_finite(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """flag = 1 if no x[n] is an infinity or a NaN, else 0.  p: x, flag (int64[1]).  d: n."""
    cdef int64_t n = d[0], chunk, bad = 0, chunks = (n + CHUNK - 1) // CHUNK
    cdef const float *x = <const float *> p[0]
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 8):
        bad += not simd.all_finite(min(CHUNK, n - chunk * CHUNK), x + chunk * CHUNK)
    (<int64_t *> p[1])[0] = bad == 0


def _reduce_extents(d, threads):
    outer, reduce, inner = d
    if min(d) < 0:
        raise ValueError(f"reduce_sum of a negative size: {tuple(d)}")
    return 4 * outer * reduce * inner, 4 * outer * inner, 8 * inner


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {
    "reduce_sum": (<uintptr_t> &reduce_sum, _reduce_extents),
    "all_finite": (<uintptr_t> &all_finite, lambda d, threads: (4 * d[0], 8)),
}

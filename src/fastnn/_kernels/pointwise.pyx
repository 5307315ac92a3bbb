"""Pointwise kernels: each row of simd/pointwise.h, split over threads in chunks of fixed size.

Work is cut by CHUNK elements, whatever the thread count, so results have the same bits.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.dispatch cimport simd

cdef enum:
    CHUNK = 16384


cdef void unary_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = f(x[n]).  p: x, y.  d: n, row.  s: the row's arguments.  x may be y."""
    cdef int64_t n = d[0], chunk, chunks = (n + CHUNK - 1) // CHUNK
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 1):
        simd.unary[d[1]].forward(
            min(CHUNK, n - chunk * CHUNK), x + chunk * CHUNK, y + chunk * CHUNK, s)


cdef void unary_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx[n] = dy[n] * f'(saved[n]), overwritten.  p: saved, dy, dx.  d: n, row.  dx may be dy."""
    cdef int64_t n = d[0], chunk, first, chunks = (n + CHUNK - 1) // CHUNK
    cdef const float *saved = <const float *> p[0]
    cdef const float *dy = <const float *> p[1]
    cdef float *dx = <float *> p[2]
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 1):
        first = chunk * CHUNK
        simd.unary[d[1]].backward(
            min(CHUNK, n - first), saved + first, dy + first, dx + first, s)


def unary_rows():
    """The table: (name, formula, arguments, what the gradient reads), one row per function."""
    return [(simd.unary[i].name.decode(), simd.unary[i].formula.decode(),
             simd.unary[i].arguments.decode(), chr(simd.unary[i].saved))
            for i in range(simd.unary_count)]


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {
    "unary_forward": (<uintptr_t> &unary_forward, lambda d, threads: (4 * d[0],) * 2),
    "unary_backward": (<uintptr_t> &unary_backward, lambda d, threads: (4 * d[0],) * 3),
}

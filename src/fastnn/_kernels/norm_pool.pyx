"""Max-pooling that reads through a batch norm and a ReLU: max(0, norm(x)) is never stored.

The rows of x under a row of the result are normalised into scratch and pooled from there, both by
the functions that do it apart: the same bits.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.batch_norm cimport SERIAL
from fastnn._kernels.dispatch cimport larger, max_pool_shape, simd, smaller, whole
from fastnn._kernels.norm_rows cimport NormRows, norm_of_rows, read_rows, vectors_bytes

from fastnn._kernels import pool


cdef int64_t rows_bytes(const max_pool_shape *g) noexcept nogil:
    """Room for the rows of x under a row of the result."""
    cdef int64_t reach = (g.kh - 1) * g.dilation_h + 1
    return 4 * whole(smaller(g.h, reach) * g.w * g.c, 16)


cdef void norm_max_pool2d_forward(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """max_pool2d_forward of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, y[n,oh,ow,c], offsets uint8[n,oh,ow,c],
    workspace.  d: as max_pool2d_forward.  s: eps.  No aliasing.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef NormRows norm = norm_of_rows(g.c, p, s[0], p[7])
    cdef char *room = p[7] + vectors_bytes(g.c)
    cdef int64_t row
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * g.h * g.w * g.c > SERIAL):
        pool_row(g, &norm, p, row, room + threadid() * rows_bytes(g))


cdef void pool_row(const max_pool_shape *whole_shape, const NormRows *norm, char **p, int64_t row,
                   char *room) noexcept nogil:
    """One row of the result, from rows [first, end) of its image."""
    cdef max_pool_shape g = whole_shape[0]
    cdef int64_t top = row % g.oh * g.stride_h - g.pad_top, line = g.ow * g.c
    cdef int64_t first = smaller(g.h, larger(0, top))
    cdef int64_t end = larger(first, smaller(g.h, top + (g.kh - 1) * g.dilation_h + 1))
    cdef const float *x = <const float *> p[0] + (row // g.oh * g.h + first) * g.w * g.c
    x = read_rows(norm, (end - first) * g.w, g.c, x, room)
    g.h, g.pad_top = end - first, first - top
    simd.pool.max_forward(&g, x, 0, <float *> p[5] + row * line,
                          <uint8_t *> p[6] + row * line)


def _extents(d, threads):
    cdef max_pool_shape g
    x, y, offsets = pool.KERNELS["max_pool2d_forward"][1](d, threads)
    (g.n, g.h, g.w, g.c, g.kh, g.kw, g.stride_h, g.stride_w, g.pad_top, g.pad_left, g.dilation_h,
     g.dilation_w, g.oh, g.ow) = d[:14]
    return (x, *(4 * g.c,) * 4, y, offsets, vectors_bytes(g.c) + threads * rows_bytes(&g))


KERNELS = {"norm_max_pool2d_forward": (<uintptr_t> &norm_max_pool2d_forward, _extents)}

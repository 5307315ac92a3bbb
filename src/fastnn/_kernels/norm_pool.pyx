"""Max-pooling that reads through a batch norm and a ReLU: max(0, norm(x)) is never stored.

The rows of x under a row of the result are normalised into scratch and pooled from there, both by
the functions that do it apart: the same bits.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.batch_norm cimport SERIAL, WIDTH, blocks, scale_columns, spread
from fastnn._kernels.dispatch cimport (
    larger, max_pool_shape, norm_columns, simd, smaller, whole)

from fastnn._kernels import pool

cdef enum:
    COLUMNS = 256  # of the norm, about: pixels of few channels side by side

# Where things are in the workspace, in floats.
cdef struct Scratch:
    int64_t pixels, width, rows, floats


cdef Scratch scratch_of(const max_pool_shape *g) noexcept nogil:
    cdef Scratch cut
    cdef int64_t reach = (g.kh - 1) * g.dilation_h + 1
    cut.pixels = larger(1, smaller(g.w, COLUMNS // g.c))
    cut.width = cut.pixels * g.c
    cut.rows = 3 * whole(cut.width, 16)
    cut.floats = whole(smaller(g.h, reach) * g.w * g.c, 16)
    return cut


cdef void norm_max_pool2d_forward(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """max_pool2d_forward of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, y[n,oh,ow,c], offsets uint8[n,oh,ow,c],
    workspace.  d: as max_pool2d_forward.  s: eps.  No aliasing.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef Scratch cut = scratch_of(g)
    cdef float *columns = <float *> p[7]
    cdef int64_t row, step = cut.rows // 3
    cdef norm_columns v
    v.mean, v.scale, v.bias = columns, columns + step, columns + 2 * step
    v.slope = v.offset = NULL
    spread(cut.width, g.c, 0, <const float *> p[1], columns)
    scale_columns(cut.width, g.c, 0, <const float *> p[2], <const float *> p[3], s[0],
                  columns + step)
    spread(cut.width, g.c, 0, <const float *> p[4], columns + 2 * step)
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * g.h * g.w * g.c > SERIAL):
        pool_row(g, &cut, &v, p, row, columns + cut.rows + threadid() * cut.floats)


cdef void pool_row(const max_pool_shape *whole_shape, const Scratch *cut, const norm_columns *v,
                   char **p, int64_t row, float *normed) noexcept nogil:
    """One row of the result, from rows [first, end) of its image."""
    cdef max_pool_shape g = whole_shape[0]
    cdef int64_t top = row % g.oh * g.stride_h - g.pad_top, line = g.ow * g.c
    cdef int64_t first = smaller(g.h, larger(0, top))
    cdef int64_t end = larger(first, smaller(g.h, top + (g.kh - 1) * g.dilation_h + 1))
    cdef float *normed_rest
    cdef const float *x = <const float *> p[0] + (row // g.oh * g.h + first) * g.w * g.c
    cdef int64_t groups = (end - first) * g.w // cut.pixels
    apply(groups, cut.width, x, v, normed)
    x, normed_rest = x + groups * cut.width, normed + groups * cut.width
    apply((end - first) * g.w - groups * cut.pixels, g.c, x, v, normed_rest)
    g.h, g.pad_top = end - first, first - top
    simd.pool.max_forward(&g, normed, 0, <float *> p[5] + row * line,
                          <uint8_t *> p[6] + row * line)


cdef void apply(int64_t rows, int64_t width, const float *x, const norm_columns *v,
                float *y) noexcept nogil:
    """y = max(0, norm(x)), some columns at a time."""
    cdef norm_columns part
    cdef int64_t block, first
    for block in range(blocks(width)):
        first = block * WIDTH
        part = v[0]
        part.mean += first
        part.scale += first
        part.bias += first
        simd.norm.apply(rows, smaller(WIDTH, width - first), width, x + first, &part, y + first, 1)


def _extents(d, threads):
    cdef max_pool_shape g
    x, y, offsets = pool.KERNELS["max_pool2d_forward"][1](d, threads)
    (g.n, g.h, g.w, g.c, g.kh, g.kw, g.stride_h, g.stride_w, g.pad_top, g.pad_left, g.dilation_h,
     g.dilation_w, g.oh, g.ow) = d[:14]
    cdef Scratch cut = scratch_of(&g)
    return (x, *(4 * g.c,) * 4, y, offsets, 4 * (cut.rows + threads * cut.floats))


KERNELS = {"norm_max_pool2d_forward": (<uintptr_t> &norm_max_pool2d_forward, _extents)}

"""Max-pooling that reads through a batch norm and a ReLU: max(0, norm(x)) is never stored.

Each element is normalised as it is looked at, with the arithmetic of batch_norm_apply_relu: the
same bits.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.norm.batch_norm cimport SERIAL
from fastnn._kernels.norm.rows cimport norm_of_rows, vectors_bytes
from fastnn._kernels.norm.table cimport norm_rows
from fastnn._kernels.pool.table cimport max_pool_shape, simd

from fastnn._kernels.chunks import dealt
from fastnn._kernels.pool import pool


cdef bint is_large(const max_pool_shape *g) noexcept nogil:
    """Whether a team is worth it."""
    return g.n * g.h * g.w * g.c > SERIAL


cdef void norm_max_pool2d_forward(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """max_pool2d_forward of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, y[n,oh,ow,c], offsets uint8[n,oh,ow,c],
    workspace.  d: as max_pool2d_forward.  s: eps.  No aliasing.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef norm_rows norm = norm_of_rows(g.c, p, s[0], p[7])
    cdef int64_t row, image = g.h * g.w * g.c, line = g.ow * g.c
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and is_large(g)):
        simd.max_forward(g, <const float *> p[0] + row // g.oh * image, &norm, row % g.oh,
                         <float *> p[5] + row * line, <uint8_t *> p[6] + row * line)


def _extents(d, threads):
    x, y, offsets = pool.KERNELS["max_pool2d_forward"][1](d, threads)
    c = d[3]
    return (x, *(4 * c,) * 4, y, offsets, vectors_bytes(c))


def _loads(d, threads):
    """Elements of y that each thread is dealt."""
    cdef int64_t sizes[14]
    cdef const max_pool_shape *g = <const max_pool_shape *> sizes
    sizes = d
    return dealt([g.ow * g.c] * (g.n * g.oh), threads, alone=not is_large(g))


KERNELS = {"norm_max_pool2d_forward": (<uintptr_t> &norm_max_pool2d_forward, _extents, _loads)}

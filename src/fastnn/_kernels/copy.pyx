"""Strided copies: layouts, slices, concatenation, padding and expansion are all one kernel."""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.shapes cimport collapse

from fastnn._kernels.strided import span


cdef void copy(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[i, j, ..] = x[i, j, ..].  p: x, y.
    d: ndim, x_offset, y_offset, shape[ndim], x_strides[ndim], y_strides[ndim].

    Offsets and strides in elements; x strides may be 0 or negative; y's elements are distinct.
    y overwritten where it is touched; y and x do not overlap.
    """
    cdef int64_t shape[8]
    cdef int64_t a[8]
    cdef int64_t b[8]
    cdef int64_t i, k, rest, a_at, b_at, outer = 1
    cdef int ndim = <int> d[0]
    cdef const float *x = <const float *> p[0] + d[1]
    cdef float *y = <float *> p[1] + d[2]
    for i in range(ndim):
        shape[i] = d[3 + i]
        a[i] = d[3 + ndim + i]
        b[i] = d[3 + 2 * ndim + i]
    ndim = collapse(ndim, shape, a, b)
    for i in range(ndim - 1):
        outer *= shape[i]
    cdef int64_t n = shape[ndim - 1]
    for i in range(outer):
        rest = i
        a_at = b_at = 0
        for k in range(ndim - 2, -1, -1):
            a_at += rest % shape[k] * a[k]
            b_at += rest % shape[k] * b[k]
            rest //= shape[k]
        for k in range(n):
            y[b_at + k * b[ndim - 1]] = x[a_at + k * a[ndim - 1]]


def _copy_extents(d, threads):
    ndim, x_offset, y_offset, *rest = d
    if not 0 <= ndim <= 8 or len(rest) != 3 * ndim:
        raise ValueError(f"copy takes up to 8 dimensions, each with 3 numbers, not {ndim}")
    shape, x, y = rest[:ndim], rest[ndim:2 * ndim], rest[2 * ndim:]
    return 4 * span(shape, x, x_offset), 4 * span(shape, y, y_offset)


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {"copy": (<uintptr_t> &copy, _copy_extents)}

"""Pointwise kernels: each row of simd/pointwise.h, split over threads in chunks of fixed size.

Work is cut by CHUNK elements, whatever the thread count, so results have the same bits.
"""

from math import prod

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy

from fastnn._kernels.dispatch cimport simd
from fastnn._kernels.shapes cimport collapse

from fastnn._kernels.strided import span

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


cdef void binary(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = f(a, b), broadcast.  p: a, b, y.  d: row, ndim, shape, a_strides, b_strides [ndim each].

    Strides in elements, 0 repeats; y is contiguous. y may be a or b where that one is contiguous.
    """
    cdef int64_t shape[8]
    cdef int64_t a[8]
    cdef int64_t b[8]
    cdef int64_t i, k, rest, a_at, b_at, outer = 1
    cdef int ndim = <int> d[1]
    for i in range(ndim):
        shape[i] = d[2 + i]
        a[i] = d[2 + ndim + i]
        b[i] = d[2 + 2 * ndim + i]
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
        simd.binary[d[0]].function(1, n, <const float *> p[0] + a_at, 0, a[ndim - 1],
                                   <const float *> p[1] + b_at, 0, b[ndim - 1],
                                   <float *> p[2] + i * n)


cdef void add_n(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = ((x1 + x2) + x3) + ...  p: x1 .. xk, y.  d: n, k.  y may be any of the x."""
    cdef int64_t n = d[0], k = d[1], chunk, chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 4):
        _add_chunk(p, k, chunk * CHUNK, min(CHUNK, n - chunk * CHUNK))


cdef void _add_chunk(char **p, int64_t k, int64_t first, int64_t n) noexcept nogil:
    # In blocks on the stack, so that y is written only after every x was read there.
    cdef float block[1024]
    cdef int64_t at, count, i
    for at in range(first, first + n, 1024):
        count = min(1024, first + n - at)
        memcpy(block, <const float *> p[0] + at, 4 * count)
        for i in range(1, k):
            simd.add(count, block, <const float *> p[i] + at, block)
        memcpy(<float *> p[k] + at, block, 4 * count)


cdef void fill(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = value.  p: y.  d: n.  s: value."""
    cdef int64_t n = d[0], chunk, chunks = (n + CHUNK - 1) // CHUNK
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 8):
        simd.fill(min(CHUNK, n - chunk * CHUNK), <float> s[0], <float *> p[0] + chunk * CHUNK)


def unary_rows():
    """The table: (name, formula, arguments, what the gradient reads), one row per function."""
    return [(simd.unary[i].name.decode(), simd.unary[i].formula.decode(),
             simd.unary[i].arguments.decode(), chr(simd.unary[i].saved))
            for i in range(simd.unary_count)]


def binary_rows():
    """The table of functions of two tensors: (name, formula)."""
    return [(simd.binary[i].name.decode(), simd.binary[i].formula.decode())
            for i in range(simd.binary_count)]


def _check_row(row, count):
    if not 0 <= row < count:
        raise ValueError(f"row {row} is not in the table of {count} functions")


def _unary_extents(count):
    def extents(d, threads):
        _check_row(d[1], simd.unary_count)
        return (4 * d[0],) * count
    return extents


def _binary_extents(d, threads):
    row, ndim, *rest = d
    _check_row(row, simd.binary_count)
    if not 0 <= ndim <= 8 or len(rest) != 3 * ndim:
        raise ValueError(f"binary takes up to 8 dimensions, each with 3 numbers, not {ndim}")
    shape, a, b = rest[:ndim], rest[ndim:2 * ndim], rest[2 * ndim:]
    return 4 * span(shape, a, 0), 4 * span(shape, b, 0), 4 * prod(shape)


def _add_extents(d, threads):
    n, k = d
    if k < 1:
        raise ValueError(f"add_n takes at least one tensor, not {k}")
    return (4 * n,) * (k + 1)


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {
    "unary_forward": (<uintptr_t> &unary_forward, _unary_extents(2)),
    "unary_backward": (<uintptr_t> &unary_backward, _unary_extents(3)),
    "binary": (<uintptr_t> &binary, _binary_extents),
    "add_n": (<uintptr_t> &add_n, _add_extents),
    "fill": (<uintptr_t> &fill, lambda d, threads: (4 * d[0],)),
}

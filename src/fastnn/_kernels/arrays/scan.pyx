"""Running sums along an axis, products along it, and their gradient."""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.arrays.axis cimport (
    WHOLE, Cut, Piece, chunks_of, cut_axis, piece_of, piece_sizes)
from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.chunks cimport run_chunks

from fastnn._kernels.chunks import run_loads

cdef enum:
    SERIAL = 1  # chunks that are not worth a team of threads


cdef inline Cut _plan(int64_t outer, int64_t size, int64_t inner) noexcept nogil:
    return cut_axis(outer, size, inner, WHOLE, 1 << 62)


cdef void cumsum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[o, k, i] = the sum of x[o, j, i] for j <= k, or for j >= k if reverse; overwritten.

    p: x[outer, size, inner], y.  d: outer, size, inner, reverse.  y may be x. Sums are in double.
    """
    cdef Cut plan = _plan(d[0], d[1], d[2])
    run_chunks(_backward_chunk if d[3] else _forward_chunk, p, <const int64_t *> &plan, s,
               chunks_of(&plan), SERIAL, threads)


cdef void _forward_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer, at
    for outer in range(piece.first, piece.end):
        at = outer * plan.size * plan.inner + piece.column
        simd.cumsum_rows(plan.size, piece.columns, <const float *> p[0] + at, plan.inner,
                         <float *> p[1] + at)


cdef void _backward_chunk(char **p, const int64_t *d, const double *s,
                          int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer, at
    if plan.size == 0:
        return
    for outer in range(piece.first, piece.end):
        at = ((outer + 1) * plan.size - 1) * plan.inner + piece.column
        simd.cumsum_rows(plan.size, piece.columns, <const float *> p[0] + at, -plan.inner,
                         <float *> p[1] + at)


cdef void prod(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[outer, inner] = the product of x[outer, size, inner] over the axis; overwritten.

    p: x, y.  d: outer, size, inner.  Products are in double.
    """
    cdef Cut plan = _plan(d[0], d[1], d[2])
    run_chunks(_prod_chunk, p, <const int64_t *> &plan, s, chunks_of(&plan), SERIAL, threads)


cdef void _prod_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer
    for outer in range(piece.first, piece.end):
        simd.prod_rows(plan.size, piece.columns,
                       <const float *> p[0] + outer * plan.size * plan.inner + piece.column,
                       plan.inner, <float *> p[1] + outer * plan.inner + piece.column)


cdef void prod_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx[o, k, i] = dy[o, i] * the product of x[o, j, i] for j != k; overwritten.

    p: x[outer, size, inner], dy[outer, inner], dx.  d: outer, size, inner.  dx is not x.
    """
    cdef Cut plan = _plan(d[0], d[1], d[2])
    run_chunks(_prod_grad_chunk, p, <const int64_t *> &plan, s, chunks_of(&plan), SERIAL, threads)


cdef void _prod_grad_chunk(char **p, const int64_t *d, const double *s,
                           int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer, at
    for outer in range(piece.first, piece.end):
        at = outer * plan.size * plan.inner + piece.column
        simd.prod_grad_rows(plan.size, piece.columns, <const float *> p[0] + at, plan.inner,
                            <const float *> p[1] + outer * plan.inner + piece.column,
                            <float *> p[2] + at)


def _sizes(d):
    if min(d[:3]) < 0:
        raise ValueError(f"a scan of a negative size: {tuple(d)}")
    outer, size, inner = d[:3]
    return 4 * outer * size * inner, 4 * outer * inner


def _cumsum_extents(d, threads):
    return (_sizes(d)[0],) * 2


def _prod_grad_extents(d, threads):
    values, results = _sizes(d)
    return values, results, values


def _loads(d, threads):
    """Elements that each thread is dealt."""
    cdef Cut plan = _plan(d[0], d[1], d[2])
    return run_loads(piece_sizes(&plan), SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "cumsum": (<uintptr_t> &cumsum, _cumsum_extents, _loads),
    "prod": (<uintptr_t> &prod, lambda d, threads: _sizes(d), _loads),
    "prod_backward": (<uintptr_t> &prod_backward, _prod_grad_extents, _loads),
}

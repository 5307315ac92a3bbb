"""Sums over one axis, sums of squares of many tensors, and a check that all values are finite."""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.arrays.axis cimport (
    CHUNK, PARTIALS, WIDE, Cut, Piece, chunks_of, cut_axis, piece_of, piece_sizes)
from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.chunks cimport chunk_size, count_chunks, run_chunks, run_flat

from fastnn._kernels.chunks import flat_loads, run_loads

cdef enum:
    SERIAL_SUMS = 2     # chunks that are not worth a team of threads: of sums over an axis,
    SERIAL_SQUARES = 4
    SERIAL_FINITE = 8

cdef inline Cut _plan(int64_t outer, int64_t reduce, int64_t inner) noexcept nogil:
    return cut_axis(outer, reduce, inner, PARTIALS, 1 << 62)


cdef void reduce_sum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[outer, inner] = scale * sum over reduce of x[outer, reduce, inner], overwritten.

    p: x, y, workspace.  d: outer, reduce, inner.  s: scale.  Sums are in double.
    """
    cdef Cut plan = _plan(d[0], d[1], d[2])
    run_chunks(_sum_chunk, p, <const int64_t *> &plan, s, chunks_of(&plan), SERIAL_SUMS, threads)
    if plan.pieces > 1:
        _combine(&plan, <const double *> p[2], <float *> p[1], s[0])


cdef void _sum_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef double block[WIDE]
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer, j
    cdef const float *x
    cdef float *y
    for outer in range(piece.first, piece.end):
        x = <const float *> p[0] + (outer * plan.size + piece.row) * plan.inner + piece.column
        if plan.pieces > 1:
            _sum_rows(piece.rows, piece.columns, x, plan.inner, <double *> p[2] + piece.column
                      + (outer * plan.pieces + chunk % plan.pieces) * plan.inner)
            continue
        _sum_rows(piece.rows, piece.columns, x, plan.inner, block)
        y = <float *> p[1] + outer * plan.inner + piece.column
        for j in range(piece.columns):
            y[j] = <float> (s[0] * block[j])


cdef void _sum_rows(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                    double *sums) noexcept nogil:
    """Column sums; several narrow rows count as one, to fill vectors."""
    cdef double wide[WIDE]
    cdef int64_t together = 32, j, k
    if columns == 1 and x_row == 1:
        sums[0] = simd.sum_run(rows, x)
        return
    while together > 1 and together * columns % 64 == 0:
        together //= 2
    if columns >= 32 or x_row != columns or rows < 8 * together:
        simd.sum_rows(rows, columns, x, x_row, sums)
        return
    simd.sum_rows(rows // together, columns * together, x, columns * together, wide)
    k = rows // together * together
    simd.sum_rows(rows - k, columns, x + k * columns, columns, sums)
    for k in range(together):
        for j in range(columns):
            sums[j] += wide[k * columns + j]


cdef void _combine(const Cut *plan, const double *partial, float *y, double scale) noexcept nogil:
    """Add the pieces' sums in order, in double."""
    cdef int64_t _outer, piece, j
    cdef double total
    for _outer in range(plan.outer):
        for j in range(plan.inner):
            total = 0.0
            for piece in range(plan.pieces):
                total += partial[piece * plan.inner + j]
            y[j] = <float> (scale * total)
        y += plan.inner
        partial += plan.pieces * plan.inner


cdef void sum_of_squares(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y (float64[1]) = sum over tensors of (s[tensor] * x)^2, overwritten.

    The product is a float32, everything else a double, in which no square of a float32 overflows.
    So y is finite if and only if all x and all products are.
    p: the tensors, y, workspace.  d: count, sizes.  s: a factor per tensor.
    """
    cdef int64_t i, total = 0
    cdef const double *partial = <const double *> p[d[0] + 1]
    cdef double y = 0.0
    for i in range(d[0]):
        total += d[1 + i]
    run_flat(_square_chunk, p, d, s, total, CHUNK, SERIAL_SQUARES, threads)
    for i in range(count_chunks(total, CHUNK)):
        y += partial[i]
    (<double *> p[d[0]])[0] = y


cdef void _square_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """The CHUNK elements of a chunk, with all tensors' elements as one sequence."""
    cdef int64_t tensor, low, high, start = 0, first = chunk * CHUNK
    cdef double total = 0.0
    for tensor in range(d[0]):
        low = max(first - start, 0)
        high = min(first + CHUNK - start, d[1 + tensor])
        if low < high:
            total += simd.square_sum_run(high - low, <const float *> p[tensor] + low,
                                         <float> s[tensor])
        start += d[1 + tensor]
        if start >= first + CHUNK:
            break
    (<double *> p[d[0] + 1])[chunk] = total


cdef void all_finite(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """flag = 1 if no x[n] is an infinity or a NaN, else 0.  p: x, flag (int64[1]).  d: n."""
    (<int64_t *> p[1])[0] = 1
    run_flat(_finite_chunk, p, d, s, d[0], CHUNK, SERIAL_FINITE, threads)


cdef void _finite_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    # Threads only ever write the same 0.
    if not simd.all_finite(chunk_size(d[0], CHUNK, chunk), <const float *> p[0] + chunk * CHUNK):
        (<int64_t *> p[1])[0] = 0


def _reduce_extents(d, threads):
    outer, reduce, inner = d
    if min(d) < 0:
        raise ValueError(f"reduce_sum of a negative size: {tuple(d)}")
    cdef Cut plan = _plan(outer, reduce, inner)
    workspace = 8 * outer * inner * plan.pieces if plan.pieces > 1 else 0
    return 4 * outer * reduce * inner, 4 * outer * inner, workspace


def _square_extents(d, threads):
    if d[0] != len(d) - 1 or min(d) < 0:
        raise ValueError(f"a sum of squares takes the count of tensors and their sizes, not {d}")
    return (*(4 * n for n in d[1:]), 8, 8 * count_chunks(sum(d[1:]), CHUNK))


# ---- what threads are dealt: elements ----

def _reduce_loads(d, threads):
    outer, reduce, inner = d
    cdef Cut plan = _plan(outer, reduce, inner)
    return run_loads(piece_sizes(&plan), SERIAL_SUMS, threads)


def _square_loads(d, threads):
    return flat_loads(sum(d[1:]), CHUNK, SERIAL_SQUARES, threads)


def _finite_loads(d, threads):
    return flat_loads(d[0], CHUNK, SERIAL_FINITE, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "reduce_sum": (<uintptr_t> &reduce_sum, _reduce_extents, _reduce_loads),
    "sum_of_squares": (<uintptr_t> &sum_of_squares, _square_extents, _square_loads),
    "all_finite": (<uintptr_t> &all_finite, lambda d, threads: (4 * d[0], 8), _finite_loads),
}

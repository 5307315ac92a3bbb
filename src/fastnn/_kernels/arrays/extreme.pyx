"""The largest or least value along an axis with its place, and values put back at their places."""

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.arrays.axis cimport (
    PARTIALS, WIDE, Cut, Piece, chunks_of, cut_axis, piece_of, piece_sizes)
from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.chunks cimport run_chunks

from fastnn._kernels.chunks import run_loads

cdef enum:
    SERIAL = 2           # chunks that are not worth a team of threads
    MOST_ROWS = 1 << 30  # of a piece: places in it are 32-bit integers


cdef inline Cut _plan(const int64_t *d) noexcept nogil:
    return cut_axis(d[0], d[1], d[2], PARTIALS, MOST_ROWS)


cdef void extreme(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[outer, inner] = the largest (s 1) or least (s 0) of x[outer, reduce, inner], overwritten.

    places = where the first such value is along the axis; a NaN is beyond all other values.
    p: x, y, places (int64, shape of y; not touched unless with_places), workspace.
    d: outer, reduce (from 1 on), inner, with_places.  s: largest.
    """
    cdef Cut plan = _plan(d)
    cdef char *buffers[4]
    buffers[0], buffers[1], buffers[3] = p[0], p[1], p[3]
    buffers[2] = p[2] if d[3] else NULL
    run_chunks(_extreme_chunk, buffers, <const int64_t *> &plan, s, chunks_of(&plan), SERIAL,
               threads)
    if plan.pieces > 1:
        _combine(&plan, buffers, s[0] != 0)


cdef inline int64_t *_piece_places(const Cut *plan, char **p) noexcept nogil:
    """Places of each piece [outer, pieces, inner] in the workspace; the values lie behind them."""
    return <int64_t *> p[3]


cdef inline float *_piece_values(const Cut *plan, char **p) noexcept nogil:
    return <float *> (<int64_t *> p[3] + plan.outer * plan.pieces * plan.inner)


cdef void _extreme_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Cut *plan = <const Cut *> d
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t ignored[WIDE]
    cdef int64_t outer, at
    cdef int64_t *places
    cdef float *values
    cdef const float *x
    for outer in range(piece.first, piece.end):
        x = <const float *> p[0] + (outer * plan.size + piece.row) * plan.inner + piece.column
        if plan.pieces > 1:
            at = (outer * plan.pieces + chunk % plan.pieces) * plan.inner + piece.column
            values, places = _piece_values(plan, p) + at, _piece_places(plan, p) + at
        else:
            at = outer * plan.inner + piece.column
            values = <float *> p[1] + at
            places = <int64_t *> p[2] + at if p[2] != NULL else ignored
        if plan.inner == 1:
            values[0] = simd.extreme_run(piece.rows, x, s[0] != 0, places)
            places[0] += piece.row
        else:
            simd.extreme_rows(piece.rows, piece.columns, x, plan.inner, s[0] != 0, values, places,
                              piece.row)


cdef void _combine(const Cut *plan, char **p, bint largest) noexcept nogil:
    """The best of the pieces, the first one at a tie."""
    cdef int64_t outer, _piece, j, at, place
    cdef const float *values = _piece_values(plan, p)
    cdef const int64_t *places = _piece_places(plan, p)
    cdef float best, value
    for outer in range(plan.outer):
        for j in range(plan.inner):
            at = outer * plan.pieces * plan.inner + j
            best, place = values[at], places[at]
            for _piece in range(1, plan.pieces):
                at += plan.inner
                value = values[at]
                if best == best and (value != value or (value > best if largest else value < best)):
                    best, place = value, places[at]
            (<float *> p[1])[outer * plan.inner + j] = best
            if p[2] != NULL:
                (<int64_t *> p[2])[outer * plan.inner + j] = place


cdef struct Scatter:
    Cut cut
    int64_t count  # values of each column


cdef void scatter_places(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx[o, places[o, k, i], i] = dy[o, k, i], 0 elsewhere; overwritten.

    The places of a column differ; one outside of 0 .. size - 1 is left out.
    p: dy[outer, count, inner], places (int64, likewise), dx[outer, size, inner].
    d: outer, size, inner, count.
    """
    cdef Scatter plan
    plan.cut, plan.count = _plan(d), d[3]
    run_chunks(_scatter_chunk, p, <const int64_t *> &plan, s, chunks_of(&plan.cut), SERIAL, threads)


cdef void _scatter_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef int64_t count = (<const Scatter *> d).count
    cdef const Cut *plan = &(<const Scatter *> d).cut
    cdef Piece piece = piece_of(plan, chunk)
    cdef int64_t outer, row, k, j, at, place
    cdef const float *dy
    cdef const int64_t *places
    cdef float *dx
    for outer in range(piece.first, piece.end):
        dx = <float *> p[2] + outer * plan.size * plan.inner + piece.column
        for row in range(piece.row, piece.row + piece.rows):
            memset(dx + row * plan.inner, 0, 4 * piece.columns)
        for k in range(count):
            at = (outer * count + k) * plan.inner + piece.column
            dy, places = <const float *> p[0] + at, <const int64_t *> p[1] + at
            for j in range(piece.columns):
                place = places[j]
                if piece.row <= place < piece.row + piece.rows:
                    dx[place * plan.inner + j] = dy[j]


def _check(name, d):
    if min(d[:3]) < 0 or d[3] < 0:
        raise ValueError(f"{name} of a negative size: {tuple(d)}")


def _extreme_extents(d, threads):
    outer, reduce, inner, with_places = d
    _check("extreme", d)
    if not reduce:
        raise ValueError("no values have no largest one")
    cdef Cut plan = _cut_of(d)
    workspace = 12 * outer * inner * plan.pieces if plan.pieces > 1 else 0
    return (4 * outer * reduce * inner, 4 * outer * inner, 8 * outer * inner if with_places else 0,
            workspace)


def _scatter_extents(d, threads):
    outer, size, inner, count = d
    _check("scatter_places", d)
    values = outer * count * inner
    return 4 * values, 8 * values, 4 * outer * size * inner


cdef Cut _cut_of(d):
    cdef int64_t sizes[3]
    sizes[0], sizes[1], sizes[2] = d[0], d[1], d[2]
    return _plan(sizes)


def _loads(d, threads):
    """Elements that each thread is dealt."""
    cdef Cut plan = _cut_of(d)
    return run_loads(piece_sizes(&plan), SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "extreme": (<uintptr_t> &extreme, _extreme_extents, _loads),
    "scatter_places": (<uintptr_t> &scatter_places, _scatter_extents, _loads),
}

"""Rows by their places: y is made of rows of x, or of weighted sums of a few; and its adjoint."""

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.chunks cimport chunk_size, count_chunks, run_chunks, run_flat
from fastnn._kernels.dispatch cimport LEVEL
from fastnn._kernels.sizes cimport larger, smaller

from fastnn._kernels.chunks import run_loads

cdef extern from "indexing/simd/take.h":
    ctypedef struct take_shape:
        int64_t n, h, w, c, oh, ow, h_taps, w_taps
    ctypedef struct take_table:
        const int64_t *index
        const float *weight
    ctypedef struct take_functions:
        void (*take_line)(const take_shape *g, const float *x, const take_table *rows,
                          const take_table *places, int64_t row, int64_t first, int64_t last,
                          int64_t column, int64_t columns, float fill, float *y) noexcept nogil
        void (*scatter)(int64_t n, int64_t taps, const int64_t *index, const float *weight,
                        int64_t first, int64_t last, int64_t skip, int64_t columns,
                        int64_t stride, const float *dy, float *dx) noexcept nogil
    const take_functions *take_at(int level) noexcept nogil

cdef const take_functions *simd = take_at(LEVEL)

cdef enum:
    CHUNK = 16384       # about the floats of y in a chunk
    SERIAL = 2          # chunks that are not worth a team of threads
    SUMS = 32768        # about the floats of dy that are worth a chunk of their own
    COLUMNS = 32        # floats of each row, at least, where rows are cut
    PARTS = 16          # into which sums are cut, about


# How y is cut: several lines to a chunk, or each line by pixels, and by columns if those are large.
cdef struct Cut:
    int64_t lines, pixels, columns              # of a chunk, at most
    int64_t line_chunks, pixel_chunks, column_chunks


cdef Cut cut_of(const take_shape *g) noexcept nogil:
    cdef Cut cut
    cdef int64_t line = larger(1, g.ow * g.c)
    cut.columns = larger(1, smaller(g.c, CHUNK))
    cut.pixels = larger(1, smaller(g.ow, CHUNK // cut.columns))
    cut.lines = larger(1, CHUNK // line)
    cut.line_chunks = count_chunks(g.n * g.oh, cut.lines)
    cut.pixel_chunks = count_chunks(g.ow, cut.pixels)
    cut.column_chunks = count_chunks(g.c, cut.columns)
    return cut


cdef void take(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n, i, j] = sum over a, b of row_weight[i, a] weight[j, b] x[n, rows[i, a], index[j, b]].

    A place outside of x adds nothing; where y has one place without weights, it is s[0] there.
    p: x[n, h, w, c], y[n, oh, ow, c], rows int64[oh, h_taps], row_weight, index int64[ow, w_taps],
    weight.  Weights are float32, and shaped like the places.
    d: n, h, w, c, oh, ow, h_taps, w_taps, and whether rows, row_weight, weight are given: without
    rows, row i is x's row i; without weights, all are 1.
    s: fill.  Overwrites; no aliasing.
    """
    cdef const take_shape *g = <const take_shape *> d
    cdef Cut cut = cut_of(g)
    run_chunks(_take_chunk, p, d, s, cut.line_chunks * cut.pixel_chunks * cut.column_chunks,
               SERIAL, threads)


cdef void _take_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const take_shape *g = <const take_shape *> d
    cdef Cut cut = cut_of(g)
    cdef take_table rows, places
    cdef int64_t columns = chunk % cut.column_chunks
    cdef int64_t pixels = chunk // cut.column_chunks % cut.pixel_chunks
    cdef int64_t lines = chunk // (cut.column_chunks * cut.pixel_chunks), line
    cdef int64_t first = pixels * cut.pixels
    rows.index = <const int64_t *> p[2] if d[8] else NULL
    rows.weight = <const float *> p[3] if d[9] else NULL
    places.index = <const int64_t *> p[4]
    places.weight = <const float *> p[5] if d[10] else NULL
    for line in range(lines * cut.lines, smaller(g.n * g.oh, (lines + 1) * cut.lines)):
        simd.take_line(
            g, <const float *> p[0] + line // g.oh * g.h * g.w * g.c, &rows, &places, line % g.oh,
            first, first + chunk_size(g.ow, cut.pixels, pixels), columns * cut.columns,
            chunk_size(g.c, cut.columns, columns), <float> s[0],
            <float *> p[1] + line * g.ow * g.c)


# The sizes of take_backward.
ctypedef struct sums:
    int64_t outer, rows, places, taps, inner, skip, weighted


# Into how many parts the columns of each row are cut, and the rows of each of `outer`.
cdef int64_t column_parts(const sums *g) noexcept nogil:
    if g.outer * g.places * g.taps * g.inner < SUMS:
        return 1
    return larger(1, smaller(g.inner // COLUMNS, PARTS // larger(1, g.outer)))


cdef int64_t row_parts(const sums *g) noexcept nogil:
    if g.outer * g.places * g.taps * g.inner < SUMS:
        return 1
    return larger(1, smaller(g.rows, PARTS // larger(1, g.outer * column_parts(g))))


cdef void take_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx[o, r, :] = sum of weight[k, t] * dy[o, k, :] over all k, t in order with index[k, t] = r.

    Places outside of dx, and `skip`, are left out.
    p: dy[outer, places, inner], index int64[places, taps], weight float32 like it, dx[outer, rows,
    inner].  d: outer, rows, places, taps, inner, skip, whether weight is given (else all are 1).
    Overwrites; no aliasing.
    """
    cdef const sums *g = <const sums *> d
    run_flat(_zero_chunk, p, d, s, g.outer * g.rows * g.inner, CHUNK, SERIAL, threads)
    run_chunks(_sum_chunk, p, d, s, g.outer * column_parts(g) * row_parts(g), 1, threads)


cdef void _zero_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const sums *g = <const sums *> d
    memset(<float *> p[3] + chunk * CHUNK, 0,
           chunk_size(g.outer * g.rows * g.inner, CHUNK, chunk) * sizeof(float))


cdef void _sum_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """The sums of some rows and some columns of one of `outer`: all that go there."""
    cdef const sums *g = <const sums *> d
    cdef int64_t by_columns = column_parts(g), by_rows = row_parts(g)
    cdef int64_t column_part = chunk % by_columns, row_part = chunk // by_columns % by_rows
    cdef int64_t outer = chunk // (by_columns * by_rows)
    cdef int64_t column = g.inner * column_part // by_columns
    simd.scatter(
        g.places, g.taps, <const int64_t *> p[1], <const float *> p[2] if g.weighted else NULL,
        g.rows * row_part // by_rows, g.rows * (row_part + 1) // by_rows, g.skip,
        g.inner * (column_part + 1) // by_columns - column, g.inner,
        <const float *> p[0] + outer * g.places * g.inner + column,
        <float *> p[3] + outer * g.rows * g.inner + column)


def _take_extents(d, threads):
    n, h, w, c, oh, ow, h_taps, w_taps, rows, row_weight, weight = d
    if not rows and (oh != h or h_taps != 1):
        raise ValueError(f"take: without places of rows, {h} rows cannot become {oh}")
    return (4 * n * h * w * c, 4 * n * oh * ow * c, 8 * oh * h_taps * rows,
            4 * oh * h_taps * row_weight, 8 * ow * w_taps, 4 * ow * w_taps * weight)


def _take_loads(d, threads):
    """Elements that each thread is dealt."""
    cdef take_shape g
    cdef Cut cut
    g.n, g.h, g.w, g.c, g.oh, g.ow, g.h_taps, g.w_taps = d[:8]
    cut = cut_of(&g)
    sizes = [chunk_size(g.n * g.oh, cut.lines, lines) * chunk_size(g.ow, cut.pixels, pixels)
             * chunk_size(g.c, cut.columns, columns)
             for lines in range(cut.line_chunks) for pixels in range(cut.pixel_chunks)
             for columns in range(cut.column_chunks)]
    return run_loads(sizes, SERIAL, threads)


def _backward_extents(d, threads):
    outer, rows, places, taps, inner, _, weighted = d
    return (4 * outer * places * inner, 8 * places * taps, 4 * places * taps * weighted,
            4 * outer * rows * inner)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "take": (<uintptr_t> &take, _take_extents, _take_loads),
    "take_backward": (<uintptr_t> &take_backward, _backward_extents),
}

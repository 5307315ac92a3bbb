"""Pieces of a weight gradient, for teams that have more threads than there are sums to form.

A piece is some rows and columns of dw. It needs only the tiles of its channels, so pieces share no
sums and wait for nobody; but channels are transformed anew for each piece that they are in. No cut
changes a sum.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.sizes cimport larger, smaller
from fastnn._kernels.winograd.tiles cimport TRANSFORM


cdef int64_t cuts_of(int64_t size, int64_t unit) noexcept nogil:
    """How many whole units there are."""
    return (size + unit - 1) // unit


cdef int64_t largest(int64_t size, int64_t unit, int64_t cuts) noexcept nogil:
    """Of so many cuts into whole units, as even as they allow."""
    return smaller(size, (cuts_of(size, unit) + cuts - 1) // cuts * unit)


cdef Cuts cut_into(int64_t k, int64_t c, int64_t down, int64_t across) noexcept nogil:
    cdef Cuts cuts
    cuts.k, cuts.c, cuts.down, cuts.across = k, c, down, across
    cuts.rows = largest(k, products.gemm.tile_rows, down)
    cuts.columns = largest(c, products.gemm.tile_columns, across)
    return cuts


cdef int64_t duration(const Cuts *cuts, int64_t ranges, int threads) noexcept nogil:
    """Of the thread with the most pieces, in products of one channel with one."""
    return (ranges * piece_count(cuts) + threads - 1) // threads * (
        cuts.rows * cuts.columns + TRANSFORM * (cuts.rows + cuts.columns))


cdef Cuts cut_weight(int64_t k, int64_t c, int64_t ranges, int64_t most_rows,
                     int threads) noexcept nogil:
    """Pieces of at most `most_rows` rows for each of `ranges` sums, which take the least time.

    Few of them where it is equal.
    """
    cdef int64_t fewest = (k + most_rows - 1) // most_rows, down, across
    cdef int64_t most = larger(fewest, smaller(threads, cuts_of(k, products.gemm.tile_rows)))
    cdef Cuts best = cut_into(k, c, fewest, 1), cuts
    if threads == 1:
        return best
    for down in range(fewest, most + 1):
        for across in range(1, smaller(threads, cuts_of(c, products.gemm.tile_columns)) + 1):
            cuts = cut_into(k, c, down, across)
            if duration(&cuts, ranges, threads) < duration(&best, ranges, threads):
                best = cuts
    return best


cdef int64_t piece_count(const Cuts *cuts) noexcept nogil:
    return cuts.down * cuts.across


cdef int64_t cut_at(int64_t size, int64_t unit, int64_t cuts, int64_t number) noexcept nogil:
    return smaller(size, cuts_of(size, unit) * number // cuts * unit)


cdef Piece piece_at(const Cuts *cuts, int64_t number) noexcept nogil:
    cdef Piece piece
    cdef int64_t down = number // cuts.across, across = number % cuts.across
    cdef int64_t rows = products.gemm.tile_rows, columns = products.gemm.tile_columns
    piece.row = cut_at(cuts.k, rows, cuts.down, down)
    piece.rows = cut_at(cuts.k, rows, cuts.down, down + 1) - piece.row
    piece.column = cut_at(cuts.c, columns, cuts.across, across)
    piece.columns = cut_at(cuts.c, columns, cuts.across, across + 1) - piece.column
    return piece


cdef norm_columns norm_from(const norm_columns *norm, int64_t column) noexcept nogil:
    """A norm of the channels from `column` on."""
    cdef norm_columns part = norm[0]
    part.mean += column
    part.scale += column
    part.bias += column
    return part

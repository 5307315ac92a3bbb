from libc.stdint cimport int64_t

from fastnn._kernels.norm.table cimport norm_columns

# dw's rows (channels of dy) and columns (channels of x) in pieces, numbered row after row of them.
cdef struct Cuts:
    int64_t k, c, down, across          # rows and columns; cuts of them
    int64_t rows, columns               # of the largest piece

cdef struct Piece:
    int64_t row, rows, column, columns

cdef Cuts cut_weight(int64_t k, int64_t c, int64_t ranges, int64_t most_rows,
                     int threads) noexcept nogil
cdef int64_t piece_count(const Cuts *cuts) noexcept nogil
cdef Piece piece_at(const Cuts *cuts, int64_t number) noexcept nogil
cdef norm_columns norm_from(const norm_columns *norm, int64_t column) noexcept nogil

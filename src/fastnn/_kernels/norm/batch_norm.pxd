from libc.stdint cimport int64_t

cdef enum:
    WIDTH = 1024        # columns per block, as NORM_WIDTH of simd/table.h
    MERGE = 64          # channels that one task merges
    SERIAL = 32768      # floats that are not worth a team of threads

# How the rows of x[m, c] are cut: chunks of rows of `width` columns, and `left` rows of c.
ctypedef struct partition:
    int64_t m, c, repeat, width, rows, chunk_rows, chunks, left

cdef partition divide(int64_t m, int64_t c) noexcept nogil
cdef int64_t chunk_length(const partition *cut, int64_t chunk) noexcept nogil
cdef bint by_team(const partition *cut, int threads) noexcept nogil
cdef int64_t blocks(int64_t width) noexcept nogil
cdef int64_t partial_count(const partition *cut) noexcept nogil
cdef void spread(int64_t width, int64_t c, int64_t first, const float *values,
                 float *columns) noexcept nogil
cdef void scale_columns(int64_t width, int64_t c, int64_t first, const float *var,
                        const float *weight, double eps, float *columns) noexcept nogil

from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport outer_product
from fastnn._kernels.norm.table cimport norm_rows

# How a sum over pixels is cut: `sums` ranges of pixels with a sum of their own, `parts` ranges of
# rows, in tiles, and of a matrix also `across` ranges of columns, in panels. A thread's scratch
# begins with a room for pixels that are read through a norm.
cdef struct outer_plan:
    int64_t sums, tiles, parts, panels, across, partial_bytes, room_bytes, scratch_bytes

cdef outer_plan plan_outer(int64_t pixels, int64_t rows, int64_t row_floats, int64_t groups,
                           bint normed, int threads) noexcept nogil
cdef outer_plan plan_matrix(int64_t pixels, int64_t rows, int64_t columns, bint normed,
                            int threads) noexcept nogil
cdef int64_t count_sums(int64_t pixels, int64_t macs, int64_t bytes) noexcept nogil
cdef void run_outer(const outer_product *g, const norm_rows *norm, const outer_plan *plan,
                    int64_t pixels, int64_t rows, int64_t groups, float *dw, char *workspace,
                    int threads) noexcept nogil
cdef void add_values(float *to, const float *values, int64_t count) noexcept nogil
cdef void add_sums(float *dw, const float *sums, int64_t floats, int64_t count,
                   int threads) noexcept nogil

from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport linear_product
from fastnn._kernels.norm.table cimport norm_rows

cdef bint few_columns(int64_t depth, int64_t columns) noexcept nogil
cdef bint few_rows(int64_t rows, int64_t depth, int64_t columns) noexcept nogil
cdef int64_t few_workspace(int64_t rows, int64_t depth, int64_t columns, bint normed,
                           int threads) noexcept nogil
cdef void run_few_columns(const linear_product *g, const norm_rows *norm, int64_t rows,
                          char *workspace, int threads) noexcept nogil
cdef void run_few_rows(const linear_product *g, int64_t rows, char *workspace,
                       int threads) noexcept nogil

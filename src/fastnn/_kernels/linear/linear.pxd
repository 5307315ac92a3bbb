from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport linear_product
from fastnn._kernels.norm.table cimport norm_rows

cdef enum:
    MANY = 1 << 30  # rows: a 1x1 convolution of few pixels goes the way of one of many

cdef void linear_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil
cdef void linear_grad_input(char **p, const int64_t *d, const double *s, int threads) noexcept nogil
cdef void linear_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil
cdef int64_t product_workspace(int64_t rows, int64_t depth, int64_t columns, bint normed,
                               int threads) noexcept nogil
cdef void run_product(const linear_product *g, const norm_rows *norm, int64_t rows,
                      int64_t of_whole, char *workspace, int threads) noexcept nogil
cdef int64_t packed_floats(int64_t depth, int64_t columns) noexcept nogil
cdef void pack_product(const float *w, int64_t depth, int64_t columns, float *packed,
                       int threads) noexcept nogil
cdef int64_t gradient_workspace(int64_t m, int64_t k, int64_t n, bint normed,
                                int threads) noexcept nogil
cdef void outer_matrix(const float *a, int64_t rows, const float *b, const norm_rows *norm,
                       int64_t columns, int64_t m, float *y, char *workspace,
                       int threads) noexcept nogil

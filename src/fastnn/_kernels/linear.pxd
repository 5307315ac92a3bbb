from libc.stdint cimport int64_t

cdef void linear_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil
cdef void linear_grad_input(char **p, const int64_t *d, const double *s, int threads) noexcept nogil
cdef void linear_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil
cdef int64_t product_workspace(int64_t rows, int64_t depth, int64_t columns,
                               int threads) noexcept nogil
cdef int64_t gradient_workspace(int64_t m, int64_t k, int64_t n, int threads) noexcept nogil

from libc.stdint cimport int64_t

cdef extern from "pointwise/simd/table.h":
    ctypedef void (*unary_fn)(int64_t n, const float *x, float *y, const double *s) noexcept nogil
    ctypedef void (*unary_grad_fn)(int64_t n, const float *saved, const float *dy, float *dx,
                                   const double *s) noexcept nogil
    ctypedef struct unary_row:
        const char *name
        const char *formula
        const char *arguments
        char saved
        unary_fn forward
        unary_grad_fn backward
    ctypedef struct binary_row:
        const char *name
        const char *formula
        void (*function)(int64_t rows, int64_t n, const float *a, int64_t a_row, int64_t a_step,
                         const float *b, int64_t b_row, int64_t b_step, float *y) noexcept nogil
    ctypedef struct pointwise_table:
        int unary_count
        unary_row *unary
        int binary_count
        binary_row *binary
        void (*add)(int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*fill)(int64_t n, float value, float *y) noexcept nogil
    const pointwise_table *pointwise_at(int level) noexcept nogil

cdef const pointwise_table *simd

from libc.stdint cimport int64_t

cdef extern from "simd/table.h":
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
    ctypedef struct simd_table:
        const char *level
        int lanes
        int unary_count
        unary_row *unary

cdef const simd_table *simd

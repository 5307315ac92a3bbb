from libc.stdint cimport int64_t, uint32_t, uint64_t

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
    ctypedef struct binary_row:
        const char *name
        const char *formula
        void (*function)(int64_t rows, int64_t n, const float *a, int64_t a_row, int64_t a_step,
                         const float *b, int64_t b_row, int64_t b_step, float *y) noexcept nogil
    ctypedef struct optimizer_row:
        const char *name
        const char *hyper
        int buffers
        void (*update)(int64_t n, const double *hyper, float **buffers) noexcept nogil
    ctypedef struct simd_table:
        const char *level
        int lanes
        int unary_count
        unary_row *unary
        # memory
        int binary_count
        binary_row *binary
        int optimizer_count
        optimizer_row *optimizer
        void (*add)(int64_t n, const float *a, const float *b, float *y) noexcept nogil
        void (*fill)(int64_t n, float value, float *y) noexcept nogil
        void (*copy_plane)(int64_t rows, int64_t n, const float *x, int64_t x_row, int64_t x_step,
                           float *y, int64_t y_row, int64_t y_step) noexcept nogil
        void (*transpose)(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                          float *y, int64_t y_row) noexcept nogil
        void (*sum_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                         double *sums) noexcept nogil
        double (*sum_run)(int64_t n, const float *x) noexcept nogil
        int (*all_finite)(int64_t n, const float *x) noexcept nogil
        void (*dropout)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                        const float *x, float *y) noexcept nogil

cdef const simd_table *simd

from libc.stdint cimport int64_t

cdef extern from "norm/simd/table.h":
    enum: NORM_WIDTH
    ctypedef struct norm_columns:
        const float *mean
        const float *scale
        const float *bias
        const float *slope
        const float *offset
    ctypedef struct norm_rows:
        int64_t width
        norm_columns columns
    ctypedef struct norm_table:
        void (*moments)(int64_t rows, int64_t width, int64_t stride, const float *x,
                        double *mean, double *square) noexcept nogil
        void (*apply)(int64_t rows, int64_t width, int64_t stride, const float *x,
                      const norm_columns *v, float *y, int relu) noexcept nogil
        void (*apply_add_relu)(int64_t rows, int64_t width, int64_t stride, const float *x,
                               const float *shortcut, const norm_columns *v,
                               float *y) noexcept nogil
        void (*apply_both_relu)(int64_t rows, int64_t width, int64_t stride, const float *x,
                                const norm_columns *v, const float *z, const norm_columns *w,
                                float *y) noexcept nogil
        void (*sums)(int64_t rows, int64_t width, int64_t stride, const float *dy, const float *x,
                     const norm_columns *v, double *sum, double *product, int relu) noexcept nogil
        void (*backward)(int64_t rows, int64_t width, int64_t stride, const float *dy,
                         const float *x, const norm_columns *v, float *dx, int relu,
                         int constant_statistics) noexcept nogil
    const norm_table *norm_at(int level) noexcept nogil

cdef const norm_table *simd

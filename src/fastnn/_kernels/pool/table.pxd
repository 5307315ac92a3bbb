from libc.stdint cimport int64_t, uint8_t

from fastnn._kernels.norm.table cimport norm_rows

cdef extern from "pool/simd/table.h":
    ctypedef struct max_pool_shape:
        int64_t n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left
        int64_t dilation_h, dilation_w, oh, ow
    ctypedef struct pool_axis:
        int64_t size, out, k, stride, pad, pad_end, count_padding
    ctypedef struct average_shape:
        int64_t n, c, divisor
        pool_axis rows, columns
    ctypedef struct pool_table:
        void (*max_forward)(const max_pool_shape *g, const float *x, const norm_rows *norm,
                            int64_t oy, float *y, uint8_t *offsets) noexcept nogil
        void (*max_backward)(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                             int64_t first, int64_t end, float *dx) noexcept nogil
        void (*max_places)(const max_pool_shape *g, const float *x, int64_t oy, float *y,
                           int64_t *places) noexcept nogil
        void (*average_forward)(const average_shape *g, const float *x, int64_t oy,
                                float *y) noexcept nogil
        void (*average_backward)(const average_shape *g, const float *dy, int64_t first,
                                 int64_t end, float *dx) noexcept nogil
    const pool_table *pool_at(int level) noexcept nogil

cdef const pool_table *simd

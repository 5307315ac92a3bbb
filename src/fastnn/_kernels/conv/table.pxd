from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport conv_product, outer_product, padded_image

cdef extern from "conv/simd/table.h":
    int64_t outer_terms_scratch(const padded_image *v, int64_t lines, int64_t rows) noexcept nogil
    bint by_terms(const padded_image *v, int64_t rows, int64_t lanes) noexcept nogil
    ctypedef struct terms_table:
        void (*outer)(const outer_product *g, const padded_image *v, int64_t rows, int64_t line,
                      int64_t end, float *dw, char *scratch) noexcept nogil

    int64_t depthwise_scratch(int64_t taps, int64_t pixels, int64_t columns) noexcept nogil
    ctypedef struct depthwise_table:
        void (*conv)(const conv_product *g, int64_t first, int64_t count,
                     char *scratch) noexcept nogil
        void (*outer)(const outer_product *g, int64_t first, int64_t count, float *dw,
                      char *scratch) noexcept nogil

    int64_t lines_pixels(int64_t columns) noexcept nogil
    int64_t lines_scratch(int64_t taps) noexcept nogil
    ctypedef struct lines_table:
        void (*conv)(const conv_product *g, int64_t first, int64_t count,
                     char *scratch) noexcept nogil
        void (*outer)(const outer_product *g, int64_t first, int64_t count, float *dw,
                      char *scratch) noexcept nogil

    enum: PLANAR_CHANNELS
    ctypedef struct planar_shape:
        int64_t h, w, c, x_pixel, oh, ow, k, y_pixel, kh, kw, top, left
    int64_t planar_rows(const planar_shape *v, int64_t tile_rows) noexcept nogil
    int64_t planar_lines(const planar_shape *v) noexcept nogil
    int64_t planar_scratch(const planar_shape *v) noexcept nogil
    int64_t planar_outer_scratch(const planar_shape *v) noexcept nogil
    ctypedef struct planar_table:
        void (*conv)(const planar_shape *v, const float *x, const float *packed,
                     const float *bias, int relu, float *y, int64_t image, int64_t line,
                     int64_t end, char *scratch) noexcept nogil
        void (*outer)(const planar_shape *v, const float *x, const float *dy, int64_t line,
                      int64_t end, float *dw, char *scratch) noexcept nogil

    ctypedef struct conv_table:
        terms_table terms
        depthwise_table depthwise
        lines_table lines
        planar_table planar
    const conv_table *conv_at(int level) noexcept nogil

cdef const conv_table *simd

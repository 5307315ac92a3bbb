from libc.stdint cimport int64_t

cdef extern from "linear/simd/table.h":
    # gemm_table.h says what each field and function is.
    ctypedef struct pixel_grid:
        int64_t rows, columns, height, width, channels, step_h, step_w
    ctypedef struct conv_tap:
        int64_t offset_h, offset_w, slice
    ctypedef struct linear_product:
        int64_t depth, columns, transposed, relu
        const float *x
        const float *w
        const float *bias
        const float *packed
        float *y
    ctypedef struct conv_product:
        pixel_grid source, target
        int64_t pixels, taps, depth, columns, relu, slices, spread, fold
        const conv_tap *tap
        conv_tap place
        const float *x
        const float *zero
        const float *packed
        const float *bias
        float *y
    ctypedef struct outer_product:
        pixel_grid source, target
        int64_t taps, depth, dy_stride, dw_stride, accumulate, apart, spread
        conv_tap place
        const conv_tap *tap
        const float *x
        const float *zero
        const float *dy
    ctypedef struct padded_image:
        int64_t all_channels
        int64_t h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, oh, ow
    int64_t linear_step(int64_t depth) noexcept nogil
    int64_t block_pixels(int64_t taps, int64_t depth) noexcept nogil
    int64_t linear_scratch(int64_t rows, int64_t depth, int64_t tile_columns) noexcept nogil
    int64_t conv_scratch(int64_t taps, int64_t depth, int64_t pixels) noexcept nogil
    int64_t conv_padded_scratch(const padded_image *v, int64_t lines) noexcept nogil
    int64_t outer_scratch(int64_t pixels, int64_t rows, int64_t tile_columns) noexcept nogil
    int64_t outer_padded_scratch(const padded_image *v, int64_t lines) noexcept nogil
    ctypedef struct gemm_table:
        int64_t tile_rows, tile_columns, outer_pixels
        void (*pack_columns)(const float *w, int64_t stride, int64_t depth, int64_t columns,
                             float *out) noexcept nogil
        void (*pack_rows)(const float *w, int64_t stride, int64_t depth, int64_t columns,
                          float *out) noexcept nogil
        void (*linear)(const linear_product *g, int64_t row, int64_t rows, int64_t panel,
                       int64_t end, char *scratch) noexcept nogil
        void (*conv)(const conv_product *g, int64_t first, int64_t count, int64_t panel,
                     int64_t end, char *scratch) noexcept nogil
        void (*conv_padded)(const conv_product *g, const padded_image *v, int64_t image,
                            int64_t line, int64_t end, char *scratch) noexcept nogil
        void (*outer)(const outer_product *g, int64_t first, int64_t count, int64_t row,
                      int64_t end, float *dw, char *scratch) noexcept nogil
        void (*outer_padded)(const outer_product *g, const padded_image *v, int64_t rows,
                             int64_t line, int64_t end, float *dw, char *scratch) noexcept nogil

    int64_t lane_depth(int64_t depth) noexcept nogil
    bint is_inner(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) noexcept nogil
    int64_t inner_floats(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) noexcept nogil
    ctypedef struct inner_table:
        void (*pack)(const float *w, int64_t slices, int64_t depth, int64_t columns, int turned,
                     float *out) noexcept nogil
        void (*conv)(const conv_product *g, int64_t first, int64_t count,
                     char *scratch) noexcept nogil
    ctypedef struct linear_table:
        gemm_table gemm
        inner_table inner
    const linear_table *linear_at(int level) noexcept nogil

cdef const linear_table *simd

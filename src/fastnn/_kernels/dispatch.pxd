from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

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
        void (*update)(int64_t n, int64_t step, const double *hyper,
                       float **buffers) noexcept nogil
    # batch norm
    enum: NORM_WIDTH
    enum: PEAK_CHAINS
    ctypedef struct norm_columns:
        const float *mean
        const float *scale
        const float *bias
        const float *slope
        const float *offset
    ctypedef struct norm_rows:
        int64_t width
        norm_columns columns
    ctypedef struct norm_kernels:
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
    # pooling
    ctypedef struct max_pool_shape:
        int64_t n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left
        int64_t dilation_h, dilation_w, oh, ow
    ctypedef struct pool_axis:
        int64_t size, out, k, stride, pad, pad_end, count_padding
    ctypedef struct average_shape:
        int64_t n, c, divisor
        pool_axis rows, columns
    ctypedef struct pool_kernels:
        void (*max_forward)(const max_pool_shape *g, const float *x, const norm_rows *norm,
                            int64_t oy, float *y, uint8_t *offsets) noexcept nogil
        void (*max_backward)(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                             int64_t first, int64_t end, float *dx) noexcept nogil
        void (*average_forward)(const average_shape *g, const float *x, int64_t oy,
                                float *y) noexcept nogil
        void (*average_backward)(const average_shape *g, const float *dy, int64_t first,
                                 int64_t end, float *dx) noexcept nogil
    # softmax and cross-entropy
    ctypedef struct softmax_kernels:
        void (*softmax)(int64_t classes, const float *x, float *y) noexcept nogil
        void (*log_softmax)(int64_t classes, const float *x, float *y) noexcept nogil
        void (*softmax_grad)(int64_t classes, const float *y, const float *dy,
                             float *dx) noexcept nogil
        void (*log_softmax_grad)(int64_t classes, const float *y, const float *dy,
                                 float *dx) noexcept nogil
        void (*max_and_log_sum)(int64_t rows, int64_t classes, const float *x, float *max,
                                float *log_sum) noexcept nogil
        float (*weighted_sum)(int64_t classes, const float *x, const float *weight,
                              float max) noexcept nogil
        void (*cross_entropy_grad)(int64_t rows, int64_t classes, const float *x,
                                   const float *weight, const float *max,
                                   const float *log_sum, const float *gain,
                                   const float *smooth, float *dx) noexcept nogil
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
    int64_t smaller(int64_t a, int64_t b) noexcept nogil
    int64_t larger(int64_t a, int64_t b) noexcept nogil
    int64_t whole(int64_t n, int64_t unit) noexcept nogil
    int64_t block_pixels(int64_t taps, int64_t depth) noexcept nogil
    int64_t linear_scratch(int64_t rows, int64_t depth, int64_t tile_columns) noexcept nogil
    int64_t conv_scratch(int64_t taps, int64_t depth, int64_t pixels) noexcept nogil
    int64_t conv_padded_scratch(const padded_image *v, int64_t lines) noexcept nogil
    int64_t outer_scratch(int64_t pixels, int64_t rows, int64_t tile_columns) noexcept nogil
    int64_t outer_padded_scratch(const padded_image *v, int64_t lines) noexcept nogil
    int64_t outer_terms_scratch(const padded_image *v, int64_t lines, int64_t rows) noexcept nogil
    bint by_terms(const padded_image *v, int64_t rows, int64_t lanes) noexcept nogil
    int64_t depthwise_scratch(int64_t taps, int64_t pixels, int64_t columns) noexcept nogil
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
        void (*outer_terms)(const outer_product *g, const padded_image *v, int64_t rows,
                            int64_t line, int64_t end, float *dw, char *scratch) noexcept nogil
        void (*depthwise)(const conv_product *g, int64_t first, int64_t count,
                          char *scratch) noexcept nogil
        void (*depthwise_outer)(const outer_product *g, int64_t first, int64_t count, float *dw,
                                char *scratch) noexcept nogil

    # inner_table.h
    int64_t lane_depth(int64_t depth) noexcept nogil
    bint is_inner(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) noexcept nogil
    int64_t inner_floats(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) noexcept nogil
    ctypedef struct inner_table:
        void (*pack)(const float *w, int64_t slices, int64_t depth, int64_t columns, int turned,
                     float *out) noexcept nogil
        void (*conv)(const conv_product *g, int64_t first, int64_t count,
                     char *scratch) noexcept nogil

    # lines_table.h
    int64_t lines_pixels(int64_t columns) noexcept nogil
    int64_t lines_scratch(int64_t taps) noexcept nogil
    ctypedef struct lines_table:
        void (*conv)(const conv_product *g, int64_t first, int64_t count,
                     char *scratch) noexcept nogil
        void (*outer)(const outer_product *g, int64_t first, int64_t count, float *dw,
                      char *scratch) noexcept nogil

    # planar_table.h
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

    # winograd_table.h
    ctypedef struct tile_grid:
        int64_t height, width, channels, rows, columns, top, left
    ctypedef struct tile_values:
        int64_t tiles, panel, plane
        float *data
    ctypedef struct tile_sums:
        const float *x
        const float *mean
        const float *scale
        const float *bias
        const float *shortcut
        const float *gate
        float *pivot
        float *sum
        float *product
    ctypedef struct product_sizes:
        int64_t tiles, depth, columns, v_plane, packed_plane, m_plane
    ctypedef void (*read_tiles_fn)(const tile_grid *g, const float *x, const norm_columns *norm,
                                   int64_t channels, int64_t first, int64_t count, int64_t at,
                                   const tile_values *to) noexcept nogil
    ctypedef void (*write_tiles_fn)(const tile_grid *g, const tile_values *source,
                                    int64_t channels, int64_t first, int64_t count, int64_t at,
                                    const float *bias, int relu, float *y) noexcept nogil
    ctypedef void (*product_fn)(const product_sizes *g, const float **v, const float *packed,
                                float **m, int64_t number, int64_t first,
                                int64_t end) noexcept nogil
    ctypedef struct winograd_table:
        int64_t planes, positions, terms
        int64_t *term_planes
        read_tiles_fn read_x, read_normed_x, read_dy, read_outer_dy
        write_tiles_fn write_y, write_dx
        product_fn multiply, multiply_back
        void (*write_moments)(const tile_grid *g, const tile_values *source, int64_t channels,
                              int64_t first, int64_t count, int64_t at, const float *bias,
                              int relu, float *y, const tile_sums *s) noexcept nogil
        void (*write_gradient)(const tile_grid *g, const tile_values *source, int64_t channels,
                               int64_t first, int64_t count, int64_t at, float *y,
                               const tile_sums *s) noexcept nogil
        void (*write_shortcut)(const tile_grid *g, const tile_values *source, int64_t channels,
                               int64_t first, int64_t count, int64_t at, float *y,
                               const tile_sums *s) noexcept nogil
        void (*outer)(const tile_values *dy, const tile_values *x, int64_t tiles, int64_t rows,
                      int64_t depth, int64_t plane, float *sums, int accumulate,
                      const float **columns) noexcept nogil
        void (*write_weight)(const float *sums, int64_t plane, int64_t depth, int64_t first,
                             int64_t end, int accumulate, float *dw) noexcept nogil
        void (*pack_forward)(const float *w, int64_t depth, int64_t first, int64_t columns,
                             int64_t plane, float *packed, float *scratch) noexcept nogil
        void (*pack_backward)(const float *w, int64_t depth, int64_t channels, int64_t first,
                              int64_t columns, int64_t plane, float *packed) noexcept nogil

    ctypedef struct simd_table:
        pool_kernels pool
        norm_kernels norm
        softmax_kernels softmax
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
        void (*copy_past)(int64_t n, const float *x, float *y) noexcept nogil
        void (*fence_past)() noexcept nogil
        void (*sum_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                         double *sums) noexcept nogil
        double (*sum_run)(int64_t n, const float *x) noexcept nogil
        double (*square_sum_run)(int64_t n, const float *x, float factor) noexcept nogil
        int (*all_finite)(int64_t n, const float *x) noexcept nogil
        void (*dropout)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                        const float *x, float *y) noexcept nogil
        # peak.h
        float (*fma_run)(int64_t rounds) noexcept nogil
        gemm_table gemm
        inner_table inner
        lines_table lines
        planar_table planar
        winograd_table winograd, winograd_strided

cdef const simd_table *simd

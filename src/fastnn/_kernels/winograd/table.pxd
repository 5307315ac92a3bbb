from libc.stdint cimport int64_t

from fastnn._kernels.norm.table cimport norm_columns

cdef extern from "winograd/simd/table.h":
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
        void (*write_weight)(const float *sums, int64_t plane, int64_t depth, int64_t channels,
                             int64_t first, int64_t end, int accumulate,
                             float *dw) noexcept nogil
        void (*pack_forward)(const float *w, int64_t depth, int64_t first, int64_t columns,
                             int64_t plane, float *packed, float *scratch) noexcept nogil
        void (*pack_backward)(const float *w, int64_t depth, int64_t channels, int64_t first,
                              int64_t columns, int64_t plane, float *packed) noexcept nogil
    ctypedef struct winograd_tables:
        winograd_table plain, strided
    const winograd_tables *winograd_at(int level) noexcept nogil

cdef const winograd_tables *simd

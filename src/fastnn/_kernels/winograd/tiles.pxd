from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.winograd.table cimport tile_grid, tile_values, winograd_table

cdef enum:
    CHUNK_TILES = 24  # one part of a transform; a multiple of every tile_rows
    TRANSFORM = 16    # channels that are multiplied with one while it is transformed, or read

# What is added up of y while it is written: nothing; the moments of each channel; where y is the
# gradient of a batch norm's output, the sums that the norm's gradient needs; or those of what y and
# a shortcut give together behind a ReLU.
cdef enum Sums:
    NOTHING, MOMENTS, GRADIENT, SHORTCUT

# A layer forward, or back to its input: y[tiles][columns] = x[tiles][depth] * weight.
cdef struct Pass:
    const winograd_table *w
    tile_grid source, target
    int64_t tiles, depth, columns
    int64_t v_planes, m_planes, terms  # values of a tile that is read and written; of w.terms
    const float *x
    const norm_columns *norm  # behind which a ReLU x is read, or NULL
    const float *rest         # forward: where x ends after `joined` channels, those behind; or NULL
    const norm_columns *rest_norm
    int64_t joined            # whole vectors
    const float *weight
    const float *packed       # the weights as pack_panel packs them
    bint is_packed            # whether the caller gives them so
    const float *bias
    float *y
    int backward, relu
    char *workspace
    Sums sums
    float *partials  # [chunk of tiles][pivot, sum, product][channels in whole vectors]
    const float *norm_x
    const float *norm_mean
    const float *norm_scale  # NULL without a ReLU behind the norm
    const float *norm_bias
    const float *shortcut  # gradient that meets y
    const float *gate      # what the ReLU returned

# How tiles are cut into blocks of whole chunks, at most `size` tiles each, and where in its memory
# a block keeps pointers and values.
cdef struct Blocks:
    int64_t tiles, chunks, size, count, m_tiles_at, v_at, m_at, bytes
    tile_values v, m

# One block: tiles [first, first + count), what is read and what is written, a pointer each.
cdef struct Block:
    int64_t first, count
    tile_values v, m
    const float **v_tiles
    float **m_tiles

ctypedef void (*block_fn)(const void *job, const Block *block, int64_t part) noexcept nogil

cdef const winograd_table *table_of(const Conv *v) noexcept nogil
cdef tile_grid grid(int64_t height, int64_t width, int64_t channels, int64_t rows,
                    int64_t columns, int64_t top, int64_t left) noexcept nogil
cdef tile_grid forward_source(const Conv *v) noexcept nogil
cdef tile_grid forward_target(const Conv *v) noexcept nogil
cdef Pass pass_of(const Conv *v, bint backward) noexcept nogil
cdef int64_t plane_of(int64_t tiles, int64_t channels) noexcept nogil
cdef bint fits_cache(const Pass *g) noexcept nogil
cdef Blocks cut_blocks(int64_t tiles, int64_t terms, int64_t v_planes, int64_t v_channels,
                       int64_t m_planes, int64_t m_channels, bint cached) noexcept nogil
cdef void balance_blocks(Blocks *blocks, int64_t shares) noexcept nogil
cdef int64_t first_tile(const Blocks *blocks, int64_t number) noexcept nogil
cdef void place_blocks(Blocks *blocks, int64_t terms, int64_t v_planes, int64_t v_channels,
                       int64_t m_planes, int64_t m_channels) noexcept nogil
cdef void point_to(const float **tiles, int64_t count, const tile_values *v,
                   const winograd_table *w, int64_t terms) noexcept nogil
cdef Block block_of(const Blocks *blocks, int64_t number, char *memory, const winograd_table *w,
                    int64_t terms) noexcept nogil
cdef void spread(block_fn run, const void *job, const Block *block, int64_t parts,
                 int threads) noexcept nogil
cdef void read_tiles(const Pass *g, int64_t first, int64_t count, int64_t at,
                     const tile_values *to) noexcept nogil
cdef void multiply(const Pass *g, int64_t columns, const Block *block, const float *packed,
                   int64_t packed_plane, int64_t number, int64_t first, int64_t end) noexcept nogil
cdef void write_tiles(const Pass *g, const tile_values *m, int64_t first, int64_t count,
                      int64_t at, int64_t column, int64_t columns) noexcept nogil
cdef int64_t packed_plane(int64_t depth, int64_t columns) noexcept nogil
cdef int64_t pack_scratch() noexcept nogil
cdef void pack_panel(const Pass *g, int64_t first, int64_t columns, float *packed,
                     int64_t plane, char *scratch) noexcept nogil
cdef Conv read_winograd(d) except *

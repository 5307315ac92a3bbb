"""What the ways of Winograd's F(4x4, 3x3) share: tiles of images, blocks of them, packed weights.

Sizes `d` are those of conv2d.pyx.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

from fastnn._kernels.conv_sizes cimport Conv, read_sizes
from fastnn._kernels.dispatch cimport (
    POSITIONS, larger, norm_columns, simd, smaller, tile_grid, tile_sums, tile_values, whole)

cdef enum:
    BLOCK_BYTES = 640 << 10    # of transformed tiles: they stay in the second cache
    WEIGHT_BYTES = 16 << 20    # of transformed weights that stay in the last cache;
    LEAST_TILES = 96           # more of them are read anew for so many tiles at once
    PACK_DEPTH = 16            # as in winograd.h


cdef tile_grid grid(int64_t height, int64_t width, int64_t channels, int64_t rows,
                    int64_t columns, int64_t top, int64_t left) noexcept nogil:
    """The tiles of images that are `rows` x `columns` pixels where they are written."""
    cdef tile_grid g
    g.height, g.width, g.channels, g.top, g.left = height, width, channels, top, left
    g.rows, g.columns = (rows + 3) // 4, (columns + 3) // 4
    return g


cdef Pass pass_of(const Conv *v, bint backward) noexcept nogil:
    """Where x and y have their tiles; backward: x is dy, y is dx. Pointers are for the caller."""
    cdef Pass g
    g.backward, g.relu = backward, v.relu and not backward
    if backward:
        g.source = grid(v.oh, v.ow, v.k, v.h, v.w, 2 - v.pad_top, 2 - v.pad_left)
        g.target = grid(v.h, v.w, v.c, v.h, v.w, 0, 0)
    else:
        g.source = grid(v.h, v.w, v.c, v.oh, v.ow, v.pad_top, v.pad_left)
        g.target = grid(v.oh, v.ow, v.k, v.oh, v.ow, 0, 0)
    g.depth, g.columns = g.source.channels, g.target.channels
    g.tiles = v.n * g.target.rows * g.target.columns
    g.x = g.weight = g.bias = NULL
    g.norm = NULL
    g.y, g.workspace = NULL, NULL
    g.sums, g.partials = NOTHING, NULL
    g.norm_x = g.norm_mean = g.norm_scale = g.norm_bias = NULL
    return g


cdef int64_t plane_of(int64_t tiles, int64_t channels) noexcept nogil:
    """Floats of one position; 36 of them must not fall on the same lines of a cache."""
    return whole(tiles * channels, 16) + 16


cdef bint fits_cache(int64_t depth, int64_t columns) noexcept nogil:
    """Whether the last cache holds the transformed weights, or their sums, of all positions."""
    return 4 * POSITIONS * depth * columns <= WEIGHT_BYTES


cdef Blocks cut_blocks(int64_t tiles, int64_t v_channels, int64_t m_channels,
                       bint cached) noexcept nogil:
    """v_channels, m_channels: in whole panels. cached: whether the weights are."""
    cdef Blocks blocks
    cdef int64_t most = larger(CHUNK_TILES if cached else LEAST_TILES,
                               BLOCK_BYTES // (4 * POSITIONS * (v_channels + m_channels)))
    blocks.tiles = tiles
    blocks.count = larger(1, (tiles + most - 1) // most)
    blocks.size = whole((tiles + blocks.count - 1) // blocks.count, CHUNK_TILES)
    blocks.count = (tiles + blocks.size - 1) // blocks.size
    blocks.v.tiles = blocks.m.tiles = blocks.size
    blocks.v.panel, blocks.m.panel = v_channels, m_channels
    blocks.v.plane = plane_of(blocks.size, v_channels)
    blocks.m.plane = plane_of(blocks.size, m_channels)
    blocks.v.data = blocks.m.data = NULL
    blocks.v_at = 2 * whole(8 * blocks.size, 64)
    blocks.m_at = blocks.v_at + 4 * POSITIONS * blocks.v.plane
    blocks.bytes = blocks.m_at + 4 * POSITIONS * blocks.m.plane
    return blocks


cdef Block block_of(const Blocks *blocks, int64_t number, char *memory,
                    int64_t v_step) noexcept nogil:
    """Block `number`, in memory of `blocks.bytes`; v_step: floats from tile to tile of v."""
    cdef Block block
    cdef int64_t t
    block.first = number * blocks.size
    block.count = smaller(blocks.size, blocks.tiles - block.first)
    block.v, block.m = blocks.v, blocks.m
    block.v.data = <float *> (memory + blocks.v_at)
    block.m.data = <float *> (memory + blocks.m_at)
    block.v_tiles = <const float **> memory
    block.m_tiles = <float **> (memory + blocks.v_at // 2)
    for t in range(block.count):
        block.v_tiles[t] = block.v.data + t * v_step
        block.m_tiles[t] = block.m.data + t * blocks.m.panel
    return block


cdef void spread(block_fn run, const void *job, const Block *block, int64_t parts,
                 int threads) noexcept nogil:
    """Parts of a block, over threads; even a team of one costs most of a microsecond."""
    cdef int64_t part
    if threads <= 1 or parts <= 1:
        for part in range(parts):
            run(job, block, part)
    else:
        for part in prange(parts, num_threads=threads, schedule="static"):
            run(job, block, part)


cdef void read_tiles(const tile_grid *g, const float *x, const norm_columns *norm,
                     int64_t channels, int64_t first, int64_t count, int64_t at,
                     const tile_values *to) noexcept nogil:
    """6x6 tiles of x, or of max(0, norm(x))."""
    if norm == NULL:
        simd.winograd.read_6x6(g, x, NULL, channels, first, count, at, to)
    else:
        simd.winograd.read_normed_6x6(g, x, norm, channels, first, count, at, to)


cdef void write_tiles(const Pass *g, const tile_values *m, int64_t first, int64_t count,
                      int64_t at, int64_t column, int64_t columns) noexcept nogil:
    """Tiles [first, first + count), at most CHUNK_TILES, of a range of columns; m starts at it."""
    cdef const float *bias = g.bias + column if g.bias != NULL else NULL
    cdef int64_t width = whole(g.columns, simd.lanes)
    cdef float *partial = g.partials + first // CHUNK_TILES * 3 * width + column
    cdef tile_sums s
    if g.sums == NOTHING:
        simd.winograd.write_4x4(&g.target, m, columns, first, count, at, bias, g.relu,
                                g.y + column)
        return
    s.pivot, s.sum, s.product = partial, partial + width, partial + 2 * width
    s.x, s.mean, s.scale, s.bias = NULL, NULL, NULL, NULL
    if g.sums == MOMENTS:
        simd.winograd.write_moments(&g.target, m, columns, first, count, at, bias, g.relu,
                                    g.y + column, &s)
        return
    s.x, s.mean = g.norm_x + column, g.norm_mean + column
    if g.norm_scale != NULL:
        s.scale, s.bias = g.norm_scale + column, g.norm_bias + column
    simd.winograd.write_gradient(&g.target, m, columns, first, count, at, g.y + column, &s)


cdef int64_t packed_plane(int64_t depth, int64_t columns) noexcept nogil:
    """Floats of the packed weights of one position."""
    return depth * whole(columns, simd.lanes) + 16


cdef int64_t pack_scratch() noexcept nogil:
    """Bytes that pack_panel needs."""
    return 4 * POSITIONS * PACK_DEPTH * simd.gemm.tile_columns


cdef void pack_panel(const Pass *g, int64_t first, int64_t columns, float *packed,
                     int64_t plane, char *scratch) noexcept nogil:
    """Columns [first, first + columns) of the transformed weights, at most a panel of them."""
    if g.backward:
        simd.winograd.pack_backward(g.weight, g.depth, g.columns, first, columns, plane, packed)
    else:
        simd.winograd.pack_forward(g.weight, g.depth, first, columns, plane, packed,
                                   <float *> scratch)


cdef Conv read_winograd(d) except *:
    """d, checked; raises ValueError for a convolution that is none of Winograd's."""
    cdef Conv v = read_sizes(d)
    if v.n < 1 or (v.kh, v.kw, v.stride_h, v.stride_w, v.dilation_h, v.dilation_w, v.groups) != (
            3, 3, 1, 1, 1, 1, 1):
        raise ValueError(f"winograd is for 3x3 filters of stride 1 and dilation 1 in one group, "
                         f"not {tuple(d)}")
    return v

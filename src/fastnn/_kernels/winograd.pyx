"""3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): forward and input gradient.

A block of tiles of all images at a time, in three parts: transform the tiles that are read, one
product for each of the 36 positions of a tile, transform the tiles that are written. Many blocks
are spread over the threads; few are done one after the other by all threads together. Each output
is the same sum either way. Sizes `d` are those of conv2d.pyx.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv2d cimport Conv, read_sizes, sizes_bytes
from fastnn._kernels.dispatch cimport POSITIONS, larger, simd, smaller, tile_grid, whole

cdef enum:
    BLOCK_BYTES = 640 << 10    # of transformed tiles: they stay in the second cache
    WEIGHT_BYTES = 16 << 20    # of transformed weights that stay in the last cache;
    LEAST_TILES = 96           # more of them are read anew for so many tiles at once
    PACK_DEPTH = 32

# A pass: the product, its packed weights, and the blocks of tiles.
cdef struct Pass:
    tile_grid source, target
    int64_t depth, columns, panels, part_panels, plane, packed_at, packs_at, pack_bytes
    Blocks blocks
    const float *x
    const float *weight
    const float *bias
    float *y
    int backward, relu
    char *workspace


cdef tile_grid grid(int64_t height, int64_t width, int64_t channels, int64_t rows,
                    int64_t columns, int64_t top, int64_t left) noexcept nogil:
    """The tiles of images that are `rows` x `columns` pixels where they are written."""
    cdef tile_grid g
    g.height, g.width, g.channels, g.top, g.left = height, width, channels, top, left
    g.rows, g.columns = (rows + 3) // 4, (columns + 3) // 4
    return g


cdef int64_t plane_of(int64_t tiles, int64_t channels) noexcept nogil:
    """Floats of one position; 36 of them must not fall on the same lines of a cache."""
    return whole(tiles * channels, 16) + 16


cdef Blocks cut_blocks(int64_t tiles, int64_t v_channels, int64_t m_channels,
                       int64_t weights) noexcept nogil:
    """v_channels, m_channels: in whole panels. weights: floats at one position."""
    cdef Blocks blocks
    cdef int64_t most = larger(CHUNK_TILES,
                               BLOCK_BYTES // (4 * POSITIONS * (v_channels + m_channels)))
    if 4 * POSITIONS * weights > WEIGHT_BYTES:
        most = larger(most, LEAST_TILES)
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
        for part in prange(parts, num_threads=threads, schedule="dynamic"):
            run(job, block, part)


cdef Pass cut_pass(const Conv *v, bint backward) noexcept nogil:
    cdef Pass g
    cdef int64_t zero_bytes = whole(4 * larger(v.c, v.k), 64)
    g.backward, g.relu = backward, v.relu and not backward
    g.depth, g.columns = v.c, v.k
    if backward:
        g.depth, g.columns = v.k, v.c
        g.source = grid(v.oh, v.ow, v.k, v.h, v.w, 2 - v.pad_top, 2 - v.pad_left)
        g.target = grid(v.h, v.w, v.c, v.h, v.w, 0, 0)
    else:
        g.source = grid(v.h, v.w, v.c, v.oh, v.ow, v.pad_top, v.pad_left)
        g.target = grid(v.oh, v.ow, v.k, v.oh, v.ow, 0, 0)
    g.panels = (g.columns + simd.gemm.tile_columns - 1) // simd.gemm.tile_columns
    g.part_panels = smaller(g.panels, 8)
    g.plane = g.depth * whole(g.columns, simd.lanes) + 16
    g.packed_at = zero_bytes
    g.packs_at = g.packed_at + whole(4 * POSITIONS * g.plane, 64)
    g.pack_bytes = 4 * POSITIONS * PACK_DEPTH * simd.gemm.tile_columns
    g.blocks = cut_blocks(v.n * g.target.rows * g.target.columns, whole(g.depth, simd.lanes),
                          whole(g.columns, simd.lanes), g.depth * g.columns)
    g.x = g.weight = g.bias = NULL
    g.y, g.workspace = NULL, NULL
    return g


cdef bint by_blocks(const Blocks *blocks, int threads) noexcept nogil:
    """Whether there are enough blocks to give each thread its own."""
    return threads > 1 and blocks.count >= 4 * threads


cdef int64_t pass_bytes(const Pass *g, int threads) noexcept nogil:
    """The weights' panels are packed before the first block, in the same memory."""
    cdef int64_t slots = threads if by_blocks(&g.blocks, threads) else 1
    return g.packs_at + larger(threads * g.pack_bytes, slots * g.blocks.bytes)


cdef void pack_panel(const Pass *g, int64_t panel, char *scratch) noexcept nogil:
    cdef int64_t first = panel * simd.gemm.tile_columns
    cdef int64_t columns = smaller(simd.gemm.tile_columns, g.columns - first)
    cdef float *packed = <float *> (g.workspace + g.packed_at)
    if g.backward:
        simd.winograd.pack_backward(g.weight, g.depth, g.columns, first, columns, g.plane, packed)
    else:
        simd.winograd.pack_forward(g.weight, g.depth, first, columns, g.plane, packed,
                                   <float *> scratch)


cdef void read_chunk(const void *job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = <const Pass *> job
    cdef int64_t at = chunk * CHUNK_TILES
    simd.winograd.read_6x6(&g.source, g.x, <const float *> g.workspace, block.first + at,
                           smaller(CHUNK_TILES, block.count - at), at, &block.v)


cdef void multiply_part(const void *job, const Block *block, int64_t part) noexcept nogil:
    cdef const Pass *g = <const Pass *> job
    cdef int64_t first = part // POSITIONS * g.part_panels
    simd.winograd.product(
        block.count, g.depth, g.columns, block.v_tiles, block.v.plane,
        <const float *> (g.workspace + g.packed_at), g.plane, block.m_tiles, block.m.plane,
        part % POSITIONS, first, smaller(g.panels, first + g.part_panels))


cdef void write_chunk(const void *job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = <const Pass *> job
    cdef int64_t at = chunk * CHUNK_TILES
    simd.winograd.write_4x4(&g.target, &block.m, block.first + at,
                            smaller(CHUNK_TILES, block.count - at), at, g.bias, g.relu, g.y)


cdef void run_block(const Pass *g, int64_t number, char *memory, int threads) noexcept nogil:
    cdef Block block = block_of(&g.blocks, number, memory, g.blocks.v.panel)
    cdef int64_t chunks = (block.count + CHUNK_TILES - 1) // CHUNK_TILES
    spread(read_chunk, g, &block, chunks, threads)
    spread(multiply_part, g, &block,
           POSITIONS * ((g.panels + g.part_panels - 1) // g.part_panels), threads)
    spread(write_chunk, g, &block, chunks, threads)


cdef void run_pass(const Pass *g, int threads) noexcept nogil:
    """y = x * weight, where weight is turned and its channels are swapped if backward."""
    cdef int64_t panel, number
    cdef char *rest = g.workspace + g.packs_at
    memset(g.workspace, 0, g.packed_at)  # what tiles read outside of the images
    for panel in prange(g.panels, num_threads=threads, schedule="dynamic",
                        use_threads_if=threads > 1):
        pack_panel(g, panel, rest + threadid() * g.pack_bytes)
    if by_blocks(&g.blocks, threads):
        for number in prange(g.blocks.count, num_threads=threads, schedule="dynamic"):
            run_block(g, number, rest + threadid() * g.blocks.bytes, 1)
    else:
        for number in range(g.blocks.count):
            run_block(g, number, rest, threads)


cdef void winograd_forward(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """conv2d_forward for 3x3 filters of stride and dilation 1 in one group; overwritten.

    p: x[n,h,w,c], weight[k,3,3,c], bias[k], y[n,oh,ow,k], workspace.  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Pass g = cut_pass(v, False)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[3], p[4]
    g.bias = <float *> p[2] if v.has_bias else NULL
    run_pass(&g, threads)


cdef void winograd_grad_input(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = the adjoint of winograd_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,3,3,c], dx[n,h,w,c], workspace.  dx overlaps nothing.
    """
    cdef Pass g = cut_pass(<const Conv *> d, True)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[2], p[3]
    run_pass(&g, threads)


cdef Conv read_winograd(d) except *:
    """d, checked; raises ValueError for a convolution that is none of Winograd's."""
    cdef Conv v = read_sizes(d)
    if v.n < 1 or (v.kh, v.kw, v.stride_h, v.stride_w, v.dilation_h, v.dilation_w, v.groups) != (
            3, 3, 1, 1, 1, 1, 1):
        raise ValueError(f"winograd is for 3x3 filters of stride 1 and dilation 1 in one group, "
                         f"not {tuple(d)}")
    return v


def _forward_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = cut_pass(&v, False)
    return *sizes_bytes(&v), pass_bytes(&g, threads)


def _grad_input_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = cut_pass(&v, True)
    x, weight, _, y = sizes_bytes(&v)
    return y, weight, x, pass_bytes(&g, threads)


KERNELS = {
    "winograd_forward": (<uintptr_t> &winograd_forward, _forward_extents),
    "winograd_grad_input": (<uintptr_t> &winograd_grad_input, _grad_input_extents),
}

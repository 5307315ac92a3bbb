"""3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): forward and both gradients.

A block of tiles of all images at a time, in three parts: transform the tiles that are read, one
product for each of the 36 positions of a tile, transform the tiles that are written. A part is
spread over the threads and ends before the next begins, so that nothing is summed twice and each
result is the same sum at any number of threads. Sizes `d` are those of conv2d.pyx.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv2d cimport Conv, read_sizes, sizes_bytes
from fastnn._kernels.dispatch cimport (
    POSITIONS, larger, simd, smaller, tile_grid, tile_values, whole)

cdef enum:
    BLOCK_BYTES = 8 << 20  # of transformed tiles: they stay in the last cache
    LEAST_TILES = 96       # in a block, so that transformed weights are read seldom
    CHUNK_TILES = 24       # one part of a transform; a multiple of every tile_rows
    OUTER_ROWS = 48        # channels of dy side by side: a multiple of every tile_rows and lanes
    WEIGHT_ROWS = 8        # filters in one part of the last transform of a weight gradient
    PACK_DEPTH = 32

# Tiles of a pass, a block of them at a time, and where things are in the workspace.
cdef struct Blocks:
    int64_t tiles, size, count
    int64_t zero_at, v_pointers_at, m_pointers_at, v_at, m_at, rest_at
    tile_values v, m

ctypedef void (*read_fn)(const tile_grid *g, const float *x, const float *zero, int64_t first,
                         int64_t count, int64_t at, const tile_values *to) noexcept nogil


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


cdef Blocks cut_blocks(const Conv *v, const tile_grid *g, int64_t v_panel, int64_t v_channels,
                       int64_t m_panel, int64_t m_channels) noexcept nogil:
    """g: the grid of either side; channels in whole panels."""
    cdef Blocks blocks
    cdef int64_t most = larger(LEAST_TILES, BLOCK_BYTES // (4 * POSITIONS *
                                                            (v_channels + m_channels)))
    blocks.tiles = v.n * g.rows * g.columns
    blocks.count = (blocks.tiles + most - 1) // most
    blocks.size = whole((blocks.tiles + blocks.count - 1) // blocks.count, CHUNK_TILES)
    blocks.count = (blocks.tiles + blocks.size - 1) // blocks.size
    blocks.v.tiles = blocks.m.tiles = blocks.size
    blocks.v.panel, blocks.m.panel = v_panel, m_panel
    blocks.v.data = blocks.m.data = NULL
    blocks.v.plane = plane_of(blocks.size, v_channels)
    blocks.m.plane = plane_of(blocks.size, m_channels)
    blocks.zero_at = 0
    blocks.v_pointers_at = whole(4 * larger(v.c, v.k), 64)
    blocks.m_pointers_at = blocks.v_pointers_at + whole(8 * blocks.size, 64)
    blocks.v_at = blocks.m_pointers_at + whole(8 * blocks.size, 64)
    blocks.m_at = blocks.v_at + 4 * POSITIONS * blocks.v.plane
    blocks.rest_at = blocks.m_at + 4 * POSITIONS * blocks.m.plane
    return blocks


cdef void place_blocks(Blocks *blocks, const Conv *v, char *workspace, int64_t v_step,
                       int64_t m_step) noexcept nogil:
    """Set pointers into the workspace, to each tile too; clear what pixels outside read."""
    cdef float **v_pointers = <float **> (workspace + blocks.v_pointers_at)
    cdef float **m_pointers = <float **> (workspace + blocks.m_pointers_at)
    cdef int64_t t
    blocks.v.data = <float *> (workspace + blocks.v_at)
    blocks.m.data = <float *> (workspace + blocks.m_at)
    for t in range(blocks.size):
        v_pointers[t] = blocks.v.data + t * v_step
        m_pointers[t] = blocks.m.data + t * m_step
    memset(workspace + blocks.zero_at, 0, 4 * larger(v.c, v.k))


cdef void read_block(read_fn read, const tile_grid *g, const float *x, const float *zero,
                     int64_t first, int64_t count, const tile_values *to,
                     int threads) noexcept nogil:
    cdef int64_t chunk, chunks = (count + CHUNK_TILES - 1) // CHUNK_TILES
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and chunks > 1):
        read(g, x, zero, first + chunk * CHUNK_TILES,
             smaller(CHUNK_TILES, count - chunk * CHUNK_TILES), chunk * CHUNK_TILES, to)


# The product of a pass: columns of packed weights, cut into parts.
cdef struct Product:
    int64_t depth, columns, panels, part_panels, plane, packed_at, scratch_at, scratch_bytes


cdef Product cut_product(int64_t depth, int64_t columns, int64_t at) noexcept nogil:
    cdef Product product
    product.depth, product.columns = depth, columns
    product.panels = (columns + simd.gemm.tile_columns - 1) // simd.gemm.tile_columns
    product.part_panels = smaller(product.panels, 8)
    product.plane = depth * whole(columns, simd.lanes) + 16
    product.packed_at = at
    product.scratch_at = at + 4 * POSITIONS * product.plane
    product.scratch_bytes = 4 * POSITIONS * PACK_DEPTH * simd.gemm.tile_columns
    return product


cdef void pack_panel(const Conv *v, const Product *product, bint backward, int64_t panel,
                     const float *weight, float *packed, char *scratch) noexcept nogil:
    cdef int64_t first = panel * simd.gemm.tile_columns
    cdef int64_t columns = smaller(simd.gemm.tile_columns, product.columns - first)
    if backward:
        simd.winograd.pack_backward(weight, v.k, v.c, first, columns, product.plane, packed)
    else:
        simd.winograd.pack_forward(weight, v.c, first, columns, product.plane, packed,
                                   <float *> scratch)


cdef void multiply_part(const Product *product, const Blocks *blocks, char *workspace,
                        int64_t count, int64_t part) noexcept nogil:
    cdef int64_t first = part // POSITIONS * product.part_panels
    simd.winograd.product(
        count, product.depth, product.columns,
        <const float **> (workspace + blocks.v_pointers_at), blocks.v.plane,
        <const float *> (workspace + product.packed_at), product.plane,
        <float **> (workspace + blocks.m_pointers_at), blocks.m.plane, part % POSITIONS, first,
        smaller(product.panels, first + product.part_panels))


cdef Blocks pass_blocks(const Conv *v, bint backward) noexcept nogil:
    cdef tile_grid g = target_grid(v, backward)
    cdef int64_t depth = whole(v.k if backward else v.c, simd.lanes)
    cdef int64_t columns = whole(v.c if backward else v.k, simd.lanes)
    return cut_blocks(v, &g, depth, depth, columns, columns)


cdef tile_grid source_grid(const Conv *v, bint backward) noexcept nogil:
    if backward:
        return grid(v.oh, v.ow, v.k, v.h, v.w, 2 - v.pad_top, 2 - v.pad_left)
    return grid(v.h, v.w, v.c, v.oh, v.ow, v.pad_top, v.pad_left)


cdef tile_grid target_grid(const Conv *v, bint backward) noexcept nogil:
    if backward:
        return grid(v.h, v.w, v.c, v.h, v.w, 0, 0)
    return grid(v.oh, v.ow, v.k, v.oh, v.ow, 0, 0)


cdef void run_pass(const Conv *v, bint backward, const float *x, const float *weight,
                   const float *bias, float *y, char *workspace, int threads) noexcept nogil:
    """y = x * weight, where weight is turned and its channels are swapped if backward."""
    cdef Blocks blocks = pass_blocks(v, backward)
    cdef Product product = cut_product(v.k if backward else v.c, v.c if backward else v.k,
                                       blocks.rest_at)
    cdef tile_grid source = source_grid(v, backward), target = target_grid(v, backward)
    cdef float *packed = <float *> (workspace + product.packed_at)
    cdef const float *zero = <const float *> (workspace + blocks.zero_at)
    cdef int64_t panel, block, first, part, parts, chunk, count
    cdef bint many = threads > 1
    place_blocks(&blocks, v, workspace, blocks.v.panel, blocks.m.panel)
    for panel in prange(product.panels, num_threads=threads, schedule="static",
                        use_threads_if=many):
        pack_panel(v, &product, backward, panel, weight, packed,
                   workspace + product.scratch_at + threadid() * product.scratch_bytes)
    parts = POSITIONS * ((product.panels + product.part_panels - 1) // product.part_panels)
    for block in range(blocks.count):
        first = block * blocks.size
        count = smaller(blocks.size, blocks.tiles - first)
        read_block(simd.winograd.read_6x6, &source, x, zero, first, count, &blocks.v, threads)
        for part in prange(parts, num_threads=threads, schedule="static", use_threads_if=many):
            multiply_part(&product, &blocks, workspace, count, part)
        for chunk in prange((count + CHUNK_TILES - 1) // CHUNK_TILES, num_threads=threads,
                            schedule="static", use_threads_if=many):
            simd.winograd.write_4x4(
                &target, &blocks.m, first + chunk * CHUNK_TILES,
                smaller(CHUNK_TILES, count - chunk * CHUNK_TILES), chunk * CHUNK_TILES, bias,
                v.relu and not backward, y)


cdef void winograd_forward(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """conv2d_forward for 3x3 filters of stride and dilation 1 in one group; overwritten.

    p: x[n,h,w,c], weight[k,3,3,c], bias[k], y[n,oh,ow,k], workspace.  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    run_pass(v, False, <const float *> p[0], <const float *> p[1],
             <const float *> p[2] if v.has_bias else NULL, <float *> p[3], p[4], threads)


cdef void winograd_grad_input(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = the adjoint of winograd_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,3,3,c], dx[n,h,w,c], workspace.  dx overlaps nothing.
    """
    run_pass(<const Conv *> d, True, <const float *> p[0], <const float *> p[1], NULL,
             <float *> p[2], p[3], threads)


cdef Blocks weight_blocks(const Conv *v) noexcept nogil:
    """v: tiles of x; m: tiles of dy."""
    cdef tile_grid g = source_grid(v, False)
    return cut_blocks(v, &g, simd.gemm.tile_columns, whole(v.c, simd.gemm.tile_columns),
                      OUTER_ROWS, whole(v.k, OUTER_ROWS))


cdef int64_t sums_plane(const Conv *v) noexcept nogil:
    return v.k * whole(v.c, simd.lanes) + 16


cdef void winograd_grad_weight(char **p, const int64_t *d, const double *s,
                               int threads) noexcept nogil:
    """dw[k,3,3,c] = sum over tiles of the transformed x and dy, transformed back; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw, workspace.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef char *workspace = p[3]
    cdef Blocks blocks = weight_blocks(v)
    cdef tile_grid source = source_grid(v, False), target = target_grid(v, False)
    cdef const float *zero = <const float *> (workspace + blocks.zero_at)
    cdef float *sums = <float *> (workspace + blocks.rest_at)
    cdef int64_t block, first, count, position, chunk, plane = sums_plane(v)
    cdef bint many = threads > 1
    place_blocks(&blocks, v, workspace, blocks.v.panel, 0)
    for block in range(blocks.count):
        first = block * blocks.size
        count = smaller(blocks.size, blocks.tiles - first)
        read_block(simd.winograd.read_6x6, &source, <const float *> p[0], zero, first, count,
                   &blocks.v, threads)
        read_block(simd.winograd.read_4x4, &target, <const float *> p[1], zero, first, count,
                   &blocks.m, threads)
        for position in prange(POSITIONS, num_threads=threads, schedule="static",
                               use_threads_if=many):
            simd.winograd.outer(&blocks.m, &blocks.v, count, v.k, v.c, position, sums, plane,
                                block > 0,
                                <const float **> (workspace + blocks.v_pointers_at))
    for chunk in prange((v.k + WEIGHT_ROWS - 1) // WEIGHT_ROWS, num_threads=threads,
                        schedule="static", use_threads_if=many):
        simd.winograd.write_weight(sums, plane, v.c, chunk * WEIGHT_ROWS,
                                   smaller(v.k, (chunk + 1) * WEIGHT_ROWS), <float *> p[2])


cdef Conv read_winograd(d) except *:
    """d, checked; raises ValueError for a convolution that is none of Winograd's."""
    cdef Conv v = read_sizes(d)
    if v.n < 1 or (v.kh, v.kw, v.stride_h, v.stride_w, v.dilation_h, v.dilation_w, v.groups) != (
            3, 3, 1, 1, 1, 1, 1):
        raise ValueError(f"winograd is for 3x3 filters of stride 1 and dilation 1 in one group, "
                         f"not {tuple(d)}")
    return v


cdef int64_t pass_workspace(const Conv *v, bint backward, int threads) noexcept nogil:
    cdef Blocks blocks = pass_blocks(v, backward)
    cdef Product product = cut_product(v.k if backward else v.c, v.c if backward else v.k,
                                       blocks.rest_at)
    return product.scratch_at + threads * product.scratch_bytes


def _forward_extents(d, threads):
    cdef Conv v = read_winograd(d)
    return *sizes_bytes(&v), pass_workspace(&v, False, threads)


def _grad_input_extents(d, threads):
    cdef Conv v = read_winograd(d)
    x, weight, _, y = sizes_bytes(&v)
    return y, weight, x, pass_workspace(&v, True, threads)


def _grad_weight_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Blocks blocks = weight_blocks(&v)
    x, weight, _, y = sizes_bytes(&v)
    return x, y, weight, blocks.rest_at + 4 * POSITIONS * sums_plane(&v)


KERNELS = {
    "winograd_forward": (<uintptr_t> &winograd_forward, _forward_extents),
    "winograd_grad_input": (<uintptr_t> &winograd_grad_input, _grad_input_extents),
    "winograd_grad_weight": (<uintptr_t> &winograd_grad_weight, _grad_weight_extents),
}

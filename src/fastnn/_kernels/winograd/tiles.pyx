"""What Winograd's ways share: tables, tiles of images, blocks of them, packed weights.

F(4x4, 3x3) for stride 1, and its stride-2 variant (simd/winograd_strided.h), where every second
pixel is a layer of its own. Sizes `d` are those of conv/direct.pyx.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv, read_sizes
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.sizes cimport larger, smaller, whole
from fastnn._kernels.winograd.table cimport (
    product_sizes, simd, tile_grid, tile_sums, tile_values, winograd_table, write_tiles_fn)

cdef enum:
    BLOCK_BYTES = 256 << 10    # of transformed tiles: they stay in the second cache
    WEIGHT_BYTES = 16 << 20    # of transformed weights that stay in the last cache;
    LEAST_TILES = 96           # more of them are read anew for so many tiles at once
    PACK_DEPTH = 16            # as in winograd_tiles.h


cdef const winograd_table *table_of(const Conv *v) noexcept nogil:
    return &simd.plain if v.stride_h == 1 else &simd.strided


cdef tile_grid grid(int64_t height, int64_t width, int64_t channels, int64_t rows,
                    int64_t columns, int64_t top, int64_t left) noexcept nogil:
    """rows x columns tiles an image; the first begins `top` and `left` pixels outside of it."""
    cdef tile_grid g
    g.height, g.width, g.channels, g.top, g.left = height, width, channels, top, left
    g.rows, g.columns = rows, columns
    return g


cdef tile_grid forward_source(const Conv *v) noexcept nogil:
    return grid(v.h, v.w, v.c, (v.oh + 3) // 4, (v.ow + 3) // 4, v.pad_top, v.pad_left)


cdef tile_grid forward_target(const Conv *v) noexcept nogil:
    return grid(v.oh, v.ow, v.k, (v.oh + 3) // 4, (v.ow + 3) // 4, 0, 0)


cdef int64_t first_row(int64_t pad) noexcept nogil:
    """Of padded dx that a tile of 8x8 begins with: it must be odd, and not behind the padding."""
    return pad if pad % 2 else pad - 1


cdef void place_backward(const Conv *v, Pass *g) noexcept nogil:
    """dx in tiles; stride 2: rows r of padded dx take r // 2 of dy, even ones that before it too.

    So the 8 rows from an odd r on take 5 rows of dy from (r - 1) / 2 on.
    """
    cdef int64_t row, column, top, left
    if v.stride_h == 1:
        g.target = grid(v.h, v.w, v.c, (v.h + 3) // 4, (v.w + 3) // 4, 0, 0)
        g.source = grid(v.oh, v.ow, v.k, g.target.rows, g.target.columns, 2 - v.pad_top,
                        2 - v.pad_left)
        return
    row, column = first_row(v.pad_top), first_row(v.pad_left)
    top, left = v.pad_top - row, v.pad_left - column
    g.target = grid(v.h, v.w, v.c, (v.h + top + 7) // 8, (v.w + left + 7) // 8, top, left)
    g.source = grid(v.oh, v.ow, v.k, g.target.rows, g.target.columns, (1 - row) // 2,
                    (1 - column) // 2)


cdef Pass pass_of(const Conv *v, bint backward) noexcept nogil:
    """Where x and y have their tiles; backward: x is dy, y is dx. Pointers are for the caller."""
    cdef Pass g
    g.w = table_of(v)
    g.backward, g.relu = backward, v.relu and not backward
    if backward:
        place_backward(v, &g)
        g.v_planes, g.m_planes, g.terms = g.w.positions, g.w.planes, 1
    else:
        g.source, g.target = forward_source(v), forward_target(v)
        g.v_planes, g.m_planes, g.terms = g.w.planes, g.w.positions, g.w.terms
    g.depth, g.columns = g.source.channels, g.target.channels
    g.tiles = v.n * g.target.rows * g.target.columns
    g.x = g.rest = g.weight = g.packed = g.bias = NULL
    g.is_packed = False
    g.norm = g.rest_norm = NULL
    g.joined = 0
    g.y, g.workspace = NULL, NULL
    g.sums, g.partials = NOTHING, NULL
    g.norm_x = g.norm_mean = g.norm_scale = g.norm_bias = g.shortcut = g.gate = NULL
    return g


cdef int64_t plane_of(int64_t tiles, int64_t channels) noexcept nogil:
    """Floats of one plane; many of them must not fall on the same lines of a cache."""
    return whole(tiles * channels, 16) + 16


cdef bint fits_cache(const Pass *g) noexcept nogil:
    """Whether the last cache holds the transformed weights."""
    return 4 * g.w.planes * g.depth * g.columns <= WEIGHT_BYTES


cdef Blocks cut_blocks(int64_t tiles, int64_t terms, int64_t v_planes, int64_t v_channels,
                       int64_t m_planes, int64_t m_channels, bint cached) noexcept nogil:
    """v_channels, m_channels: in whole panels. cached: whether the weights are.

    terms: pointers to each tile that is read.
    """
    cdef Blocks blocks
    cdef int64_t most = larger(CHUNK_TILES if cached else LEAST_TILES,
                               BLOCK_BYTES // (4 * (v_planes * v_channels +
                                                    m_planes * m_channels)))
    blocks.tiles, blocks.chunks = tiles, (tiles + CHUNK_TILES - 1) // CHUNK_TILES
    blocks.size = smaller(most // CHUNK_TILES, blocks.chunks) * CHUNK_TILES
    blocks.count = (tiles + blocks.size - 1) // blocks.size
    place_blocks(&blocks, terms, v_planes, v_channels, m_planes, m_channels)
    return blocks


cdef void balance_blocks(Blocks *blocks, int64_t shares) noexcept nogil:
    """As many blocks for each share, where there are so many chunks; none becomes larger."""
    blocks.count = smaller(whole(blocks.count, shares), blocks.chunks)


cdef int64_t first_tile(const Blocks *blocks, int64_t number) noexcept nogil:
    return smaller(blocks.tiles, blocks.chunks * number // blocks.count * CHUNK_TILES)


cdef void place_blocks(Blocks *blocks, int64_t terms, int64_t v_planes, int64_t v_channels,
                       int64_t m_planes, int64_t m_channels) noexcept nogil:
    """Where the parts of a block lie in its memory, for so many channels."""
    blocks.v.tiles = blocks.m.tiles = blocks.size
    blocks.v.panel, blocks.m.panel = v_channels, m_channels
    blocks.v.plane = plane_of(blocks.size, v_channels)
    blocks.m.plane = plane_of(blocks.size, m_channels)
    blocks.v.data = blocks.m.data = NULL
    blocks.m_tiles_at = terms * whole(8 * blocks.size, 64)
    blocks.v_at = blocks.m_tiles_at + whole(8 * blocks.size, 64)
    blocks.m_at = blocks.v_at + 4 * v_planes * blocks.v.plane
    blocks.bytes = blocks.m_at + 4 * m_planes * blocks.m.plane


cdef void point_to(const float **tiles, int64_t count, const tile_values *v,
                   const winograd_table *w, int64_t terms) noexcept nogil:
    """A pointer to each tile at position 0, for each term that is read there."""
    cdef int64_t t, term
    for term in range(terms):
        for t in range(count):
            tiles[term * count + t] = v.data + w.term_planes[term] * v.plane + t * v.panel


cdef Block block_of(const Blocks *blocks, int64_t number, char *memory, const winograd_table *w,
                    int64_t terms) noexcept nogil:
    """Block `number`, in memory of `blocks.bytes`."""
    cdef Block block
    cdef int64_t t
    block.first = first_tile(blocks, number)
    block.count = first_tile(blocks, number + 1) - block.first
    block.v, block.m = blocks.v, blocks.m
    block.v.data = <float *> (memory + blocks.v_at)
    block.m.data = <float *> (memory + blocks.m_at)
    block.v_tiles = <const float **> memory
    block.m_tiles = <float **> (memory + blocks.m_tiles_at)
    point_to(block.v_tiles, block.count, &block.v, w, terms)
    for t in range(block.count):
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


cdef void read_tiles(const Pass *g, int64_t first, int64_t count, int64_t at,
                     const tile_values *to) noexcept nogil:
    """Tiles of x, or of max(0, norm(x)), and of what is joined to it; backward: of dy."""
    cdef tile_values rest
    if g.backward:
        g.w.read_dy(&g.source, g.x, NULL, g.depth, first, count, at, to)
    elif g.rest == NULL:
        read_part(g, g.x, g.norm, g.depth, first, count, at, to)
    else:
        rest = to[0]
        rest.data += g.joined
        read_part(g, g.x, g.norm, g.joined, first, count, at, to)
        read_part(g, g.rest, g.rest_norm, g.depth - g.joined, first, count, at, &rest)


cdef void read_part(const Pass *g, const float *x, const norm_columns *norm, int64_t channels,
                    int64_t first, int64_t count, int64_t at, const tile_values *to) noexcept nogil:
    """Tiles of an array of so many channels, or of max(0, norm) of it."""
    cdef tile_grid source = g.source
    source.channels = channels
    if norm == NULL:
        g.w.read_x(&source, x, NULL, channels, first, count, at, to)
    else:
        g.w.read_normed_x(&source, x, norm, channels, first, count, at, to)


cdef void multiply(const Pass *g, int64_t columns, const Block *block, const float *packed,
                   int64_t packed_plane, int64_t number, int64_t first, int64_t end) noexcept nogil:
    """Product `number` of g.m_planes for panels first .. end of so many columns."""
    cdef product_sizes sizes
    sizes.tiles, sizes.depth, sizes.columns = block.count, g.depth, columns
    sizes.v_plane, sizes.packed_plane, sizes.m_plane = block.v.plane, packed_plane, block.m.plane
    if g.backward:
        g.w.multiply_back(&sizes, block.v_tiles, packed, block.m_tiles, number, first, end)
    else:
        g.w.multiply(&sizes, block.v_tiles, packed, block.m_tiles, number, first, end)


cdef void write_tiles(const Pass *g, const tile_values *m, int64_t first, int64_t count,
                      int64_t at, int64_t column, int64_t columns) noexcept nogil:
    """Tiles [first, first + count), at most CHUNK_TILES, of a range of columns; m starts at it."""
    cdef const float *bias = g.bias + column if g.bias != NULL else NULL
    cdef int64_t width = whole(g.columns, LANES)
    cdef float *partial = g.partials + first // CHUNK_TILES * 3 * width + column
    cdef tile_sums s
    cdef write_tiles_fn write
    if g.sums == NOTHING:
        write = g.w.write_dx if g.backward else g.w.write_y
        write(&g.target, m, columns, first, count, at, bias, g.relu, g.y + column)
        return
    s.pivot, s.sum, s.product = partial, partial + width, partial + 2 * width
    s.x = s.mean = s.scale = s.bias = s.shortcut = s.gate = NULL
    if g.sums == MOMENTS:
        g.w.write_moments(&g.target, m, columns, first, count, at, bias, g.relu, g.y + column, &s)
        return
    s.x, s.mean = g.norm_x + column, g.norm_mean + column
    if g.norm_scale != NULL:
        s.scale, s.bias = g.norm_scale + column, g.norm_bias + column
    if g.sums == SHORTCUT:
        s.shortcut, s.gate = g.shortcut + column, g.gate + column
        g.w.write_shortcut(&g.target, m, columns, first, count, at, g.y + column, &s)
    else:
        g.w.write_gradient(&g.target, m, columns, first, count, at, g.y + column, &s)


cdef int64_t packed_plane(int64_t depth, int64_t columns) noexcept nogil:
    """Floats of the packed weights of one plane."""
    return depth * whole(columns, LANES) + 16


cdef int64_t pack_scratch() noexcept nogil:
    """Bytes that pack_panel needs."""
    return 4 * 9 * PACK_DEPTH * products.gemm.tile_columns


cdef void pack_panel(const Pass *g, int64_t first, int64_t columns, float *packed,
                     int64_t plane, char *scratch) noexcept nogil:
    """Columns [first, first + columns) of the transformed weights, at most a panel of them."""
    if g.backward:
        g.w.pack_backward(g.weight, g.depth, g.columns, first, columns, plane, packed)
    else:
        g.w.pack_forward(g.weight, g.depth, first, columns, plane, packed, <float *> scratch)


cdef Conv read_winograd(d) except *:
    """d, checked; raises ValueError for a convolution that is none of Winograd's."""
    cdef Conv v = read_sizes(d)
    if (v.n < 1 or (v.kh, v.kw, v.dilation_h, v.dilation_w, v.groups) != (3, 3, 1, 1, 1)
            or (v.stride_h, v.stride_w) not in ((1, 1), (2, 2))):
        raise ValueError(f"winograd is for 3x3 filters of stride 1 or 2 and dilation 1 in one "
                         f"group, not {tuple(d)}")
    return v

"""Weight gradient by Winograd: G^T (sum over tiles of (A dy A^T) (B^T x B)) G, at each value of x.

Tiles fall into ranges that have a sum of their own; blocks of a range are added in order, then the
ranges. A team of more threads than ranges also cuts each sum into pieces of dw (weight_cuts.pyx).
Pieces of ranges are done side by side, or by one thread one after the other, each added to those
before: the same sums either way. Sums that would not stay in the last cache go in bands
(weight_bands.pyx).
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport Conv, grad_weight_extents
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.outer cimport add_sums, add_values
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.shares cimport Shares, deal, next_of
from fastnn._kernels.sizes cimport smaller, whole
from fastnn._kernels.winograd.table cimport read_tiles_fn, tile_grid, winograd_table
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, Block, Blocks, balance_blocks, block_of, cut_blocks, first_tile,
    forward_source, forward_target, place_blocks, read_winograd, table_of)
from fastnn._kernels.winograd.weight_bands cimport (
    bands_cuts, run_weight_bands, weight_bands_bytes)
from fastnn._kernels.winograd.weight_cuts cimport (
    Cuts, Piece, cut_weight, norm_from, piece_at, piece_count)

cdef enum:
    RANGES = 16
    RANGE_BLOCKS = 4           # at least, in a range of more than two
    RANGES_BYTES = 10 << 20    # at most so much memory for sums beside the first
    OUTER_ROWS = 48            # channels of dy side by side: whole tiles of rows, whole vectors
    SUMS_BYTES = 6 << 20       # of all planes; more of them go in bands
    WEIGHT_ROWS = 8            # filters in one part of the last transform
    CHUNK = 2048               # values of the sums that are added at a time
    SERIAL = 40000             # values that one thread adds in less time than a team

# An item is one piece of the sums of one range; a range's items follow each other.
cdef struct Weights:
    const winograd_table *w
    tile_grid source, target
    int64_t c, k, ranges, items
    Cuts cuts
    int64_t plane, floats  # of an item's sums: of a plane, of all
    Blocks blocks
    const float *x
    const norm_columns *norm  # behind which a ReLU x is read, or NULL
    const float *dy
    float *dw
    char *workspace

# An item at work.
cdef struct Item:
    Piece piece
    const Weights *all
    norm_columns norm
    float *sums
    bint accumulate


cdef int64_t range_blocks(int64_t ranges) noexcept nogil:
    """At least, in one of so many; to add sums once costs less than to wait in every block."""
    return RANGE_BLOCKS // 2 if ranges == 2 else RANGE_BLOCKS


cdef int64_t count_ranges(const Weights *g) noexcept nogil:
    """A function of the shape alone, as the sums are."""
    cdef int64_t ranges = RANGES
    cdef int64_t sums_bytes = 4 * g.w.planes * (g.k * whole(g.c, LANES) + 16)
    while ranges > 1 and (ranges * range_blocks(ranges) > g.blocks.count or
                          (ranges - 1) * sums_bytes > RANGES_BYTES):
        ranges //= 2
    return ranges


cdef Weights cut_weights(const Conv *v, int threads) noexcept nogil:
    cdef Weights g
    cdef int64_t c_panel, k_panel
    g.w, g.c, g.k = table_of(v), v.c, v.k
    g.source, g.target = forward_source(v), forward_target(v)
    g.blocks = cut_blocks(v.n * g.target.rows * g.target.columns, 1, g.w.planes,
                          whole(v.c, products.gemm.tile_columns), g.w.positions,
                          whole(v.k, OUTER_ROWS), True)
    g.ranges = count_ranges(&g)
    balance_blocks(&g.blocks, g.ranges)
    g.cuts = cut_weight(v.k, v.c, g.ranges, v.k, threads)
    g.items = g.ranges * piece_count(&g.cuts)
    g.plane = g.cuts.rows * whole(g.cuts.columns, LANES) + 16
    g.floats = g.w.planes * g.plane
    # A piece's channels take less memory, few take less than a panel; blocks stay the same.
    c_panel = smaller(products.gemm.tile_columns, whole(g.cuts.columns, LANES))
    k_panel = smaller(OUTER_ROWS, whole(g.cuts.rows, LANES))
    place_blocks(&g.blocks, 1, g.w.planes, whole(g.cuts.columns, c_panel), g.w.positions,
                 whole(g.cuts.rows, k_panel))
    g.blocks.v.panel, g.blocks.m.panel = c_panel, k_panel
    g.x = g.dy = NULL
    g.norm = NULL
    g.dw, g.workspace = NULL, NULL
    return g


cdef int64_t slot_at(const Weights *g, int threads) noexcept nogil:
    """Where sums end and a block begins: of a thread's items; or of those done, and one item."""
    cdef int64_t held = (g.items + threads - 1) // threads if threads > 1 else smaller(g.items, 2)
    return 4 * held * g.floats


cdef int64_t slot_bytes(const Weights *g, int threads) noexcept nogil:
    """The sums and the block of a thread, side by side: nobody else writes there."""
    return slot_at(g, threads) + g.blocks.bytes


cdef void read_chunk(const Item *item, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Weights *g = item.all
    cdef const Piece *piece = &item.piece
    cdef int64_t at = chunk * CHUNK_TILES, count = smaller(CHUNK_TILES, block.count - at)
    cdef read_tiles_fn read = g.w.read_x if g.norm == NULL else g.w.read_normed_x
    read(&g.source, g.x + piece.column, NULL if g.norm == NULL else &item.norm, piece.columns,
         block.first + at, count, at, &block.v)
    g.w.read_outer_dy(&g.target, g.dy + piece.row, NULL, piece.rows, block.first + at, count, at,
                      &block.m)


cdef void add_block(const Item *item, const Block *block) noexcept nogil:
    cdef const Weights *g = item.all
    cdef int64_t chunk, plane
    for chunk in range((block.count + CHUNK_TILES - 1) // CHUNK_TILES):
        read_chunk(item, block, chunk)
    for plane in range(g.w.planes):
        g.w.outer(&block.m, &block.v, block.count, item.piece.rows, item.piece.columns, plane,
                  item.sums + plane * g.plane, item.accumulate, block.v_tiles)


cdef int64_t first_block(const Weights *g, int64_t part) noexcept nogil:
    """Of a range."""
    return g.blocks.count * part // g.ranges


cdef void run_item(const Weights *g, int64_t number, float *sums, char *memory) noexcept nogil:
    """The sums of a piece over the tiles of a range."""
    cdef Item item
    cdef Block block
    cdef int64_t pieces = piece_count(&g.cuts), part = number // pieces, i
    cdef int64_t first = first_block(g, part)
    item.piece = piece_at(&g.cuts, number % pieces)
    item.all, item.sums = g, sums
    if g.norm != NULL:
        item.norm = norm_from(g.norm, item.piece.column)
    for i in range(first, first_block(g, part + 1)):
        item.accumulate = i > first
        block = block_of(&g.blocks, i, memory, g.w, 1)
        add_block(&item, &block)


cdef int64_t first_item(const Weights *g, int64_t member, int threads) noexcept nogil:
    """Of a thread, as `deal` deals them."""
    return g.items * member // threads


cdef float *sums_of(const Weights *g, int64_t number, int threads) noexcept nogil:
    """The sums of an item, with those of the thread that it was dealt to."""
    cdef int64_t owner = 0
    while first_item(g, owner + 1, threads) <= number:
        owner += 1
    return <float *> (g.workspace + owner * slot_bytes(g, threads)) + (
        number - first_item(g, owner, threads)) * g.floats


cdef void run_member(const Weights *g, Shares *shares, int64_t member, int threads) noexcept nogil:
    """The items of one thread."""
    cdef char *slot = g.workspace + member * slot_bytes(g, threads) + slot_at(g, threads)
    cdef int64_t number = next_of(shares, member)
    while number >= 0:
        run_item(g, number, sums_of(g, number, threads), slot)
        number = next_of(shares, member)


cdef void add_ranges(const Weights *g, int64_t chunk, int threads) noexcept nogil:
    """A chunk of a piece's sums of all ranges, added to that of range 0 in order."""
    cdef int64_t pieces = piece_count(&g.cuts), piece = chunk % pieces, part
    cdef int64_t first = chunk // pieces * CHUNK
    for part in range(1, g.ranges):
        add_values(sums_of(g, piece, threads) + first,
                   sums_of(g, part * pieces + piece, threads) + first,
                   smaller(g.floats - first, CHUNK))


cdef void write_rows(const Weights *g, int64_t chunk, int threads) noexcept nogil:
    """dw of some rows of a piece, from the sums of range 0."""
    cdef int64_t pieces = piece_count(&g.cuts), first = chunk // pieces * WEIGHT_ROWS
    cdef Piece piece = piece_at(&g.cuts, chunk % pieces)
    g.w.write_weight(sums_of(g, chunk % pieces, threads), g.plane, piece.columns, g.c, first,
                     smaller(piece.rows, first + WEIGHT_ROWS), 0,
                     g.dw + piece.row * 9 * g.c + piece.column)


cdef void run_alone(const Weights *g) noexcept nogil:
    """One thread: ranges one after the other."""
    cdef float *sums = <float *> g.workspace
    cdef char *slot = g.workspace + slot_at(g, 1)
    cdef int64_t number
    run_item(g, 0, sums, slot)
    for number in range(1, g.items):
        run_item(g, number, sums + g.floats, slot)
        add_sums(sums, sums + g.floats, g.floats, 1, 1)


cdef void run_together(const Weights *g, int threads) noexcept nogil:
    """Items side by side, then the sums of ranges."""
    cdef Shares shares
    cdef int64_t member, chunk, pieces = piece_count(&g.cuts)
    deal(&shares, g.items, threads)
    for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
        run_member(g, &shares, member, threads)
    if g.ranges > 1:
        for chunk in prange(pieces * ((g.floats + CHUNK - 1) // CHUNK), num_threads=threads,
                            schedule="static", use_threads_if=g.floats * g.items > SERIAL):
            add_ranges(g, chunk, threads)


cdef void run_ranges(const Conv *v, const float *x, const norm_columns *norm, const float *dy,
                     float *dw, char *workspace, int threads) noexcept nogil:
    cdef Weights g = cut_weights(v, threads)
    cdef int64_t chunk
    g.x, g.norm, g.dy, g.dw, g.workspace = x, norm, dy, dw, workspace
    if threads > 1:
        run_together(&g, threads)
    else:
        run_alone(&g)
    for chunk in prange(piece_count(&g.cuts) * ((g.cuts.rows + WEIGHT_ROWS - 1) // WEIGHT_ROWS),
                        num_threads=threads, schedule="static", use_threads_if=threads > 1):
        write_rows(&g, chunk, threads)


cdef bint sums_fit(const Conv *v) noexcept nogil:
    """Whether the sums of all values stay near: each block of tiles reads and writes them."""
    return 4 * table_of(v).planes * v.c * v.k <= SUMS_BYTES


cdef int64_t weights_bytes(const Conv *v, int threads) noexcept nogil:
    cdef Weights g
    if not sums_fit(v):
        return weight_bands_bytes(v, threads)
    g = cut_weights(v, threads)
    return threads * slot_bytes(&g, threads)


cdef void run_weights(const Conv *v, const float *x, const norm_columns *norm, const float *dy,
                      float *dw, char *workspace, int threads) noexcept nogil:
    """dw[k,3,3,c] = sum over pixels of dy x, or of dy max(0, norm(x)); overwritten."""
    if sums_fit(v):
        run_ranges(v, x, norm, dy, dw, workspace, threads)
    else:
        run_weight_bands(v, x, norm, dy, dw, workspace, threads)


cdef void winograd_grad_weight(char **p, const int64_t *d, const double *s,
                               int threads) noexcept nogil:
    """conv2d_grad_weight for 3x3 filters of stride 1 or 2, dilation 1, in one group; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw[k,3,3,c], workspace.  dw overlaps nothing.
    """
    run_weights(<const Conv *> d, <float *> p[0], NULL, <float *> p[1], <float *> p[2], p[3],
                threads)


def _extents(d, threads):
    cdef Conv v = read_winograd(d)
    return grad_weight_extents(&v, weights_bytes(&v, threads))


def weight_loads(d, threads):
    """Multiply-adds that each thread is dealt; of bands, each goes to the least loaded."""
    cdef Conv v = read_winograd(d)
    cdef Weights g = cut_weights(&v, threads)
    cdef Cuts cuts = g.cuts if sums_fit(&v) else bands_cuts(&v, threads)
    cdef int64_t number, part, pieces = piece_count(&cuts), tiles = g.blocks.tiles
    cdef Piece piece
    loads, items = [0] * threads, g.items if sums_fit(&v) else pieces
    for number in range(items):
        piece, part = piece_at(&cuts, number % pieces), number // pieces
        if sums_fit(&v):
            member = ((number + 1) * threads - 1) // items
            tiles = (first_tile(&g.blocks, first_block(&g, part + 1)) -
                     first_tile(&g.blocks, first_block(&g, part)))
        else:
            member = loads.index(min(loads))
        loads[member] += piece.rows * piece.columns * g.w.planes * tiles
    return loads


KERNELS = {"winograd_grad_weight": (<uintptr_t> &winograd_grad_weight, _extents, weight_loads)}

"""Weight gradient by Winograd: G^T (sum over tiles of (A dy A^T) (B^T x B)) G, at each value of x.

Tiles fall into ranges that have a sum of their own; blocks of a range are added in order, then the
ranges. As many ranges as there are threads are done side by side, else one after the other by all
threads together, each added to those before: the same sums either way. Sums that would not stay in
the last cache go in bands (weight_bands.pyx).
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
    CHUNK_TILES, Block, Blocks, balance_blocks, block_of, cut_blocks, forward_source,
    forward_target, place_blocks, read_winograd, spread, table_of)
from fastnn._kernels.winograd.weight_bands cimport run_weight_bands, weight_bands_bytes

cdef enum:
    RANGES = 16
    RANGE_BLOCKS = 4           # at least, in a range of more than two
    RANGES_BYTES = 10 << 20    # at most so much memory for sums beside the first
    OUTER_ROWS = 48            # channels of dy side by side: whole tiles of rows, whole vectors
    SUMS_BYTES = 6 << 20       # of all planes; more of them go in bands
    WEIGHT_ROWS = 8            # filters in one part of the last transform
    CHUNK = 2048               # values of the sums that are added at a time
    SERIAL = 40000             # values that one thread adds in less time than a team

cdef struct Weights:
    const winograd_table *w
    tile_grid source, target
    int64_t c, k, plane, ranges
    Blocks blocks
    const float *x
    const norm_columns *norm  # behind which a ReLU x is read, or NULL
    const float *dy
    float *dw
    float *sums       # of the range at work
    int accumulate
    char *workspace


cdef int64_t range_blocks(int64_t ranges) noexcept nogil:
    """At least, in one of so many; to add sums once costs less than to wait in every block."""
    return RANGE_BLOCKS // 2 if ranges == 2 else RANGE_BLOCKS


cdef Weights cut_weights(const Conv *v) noexcept nogil:
    cdef Weights g
    cdef int64_t sums_bytes, c_panel, k_panel
    g.w, g.c, g.k = table_of(v), v.c, v.k
    g.source, g.target = forward_source(v), forward_target(v)
    g.plane = v.k * whole(v.c, LANES) + 16
    g.blocks = cut_blocks(v.n * g.target.rows * g.target.columns, 1, g.w.planes,
                          whole(v.c, products.gemm.tile_columns), g.w.positions,
                          whole(v.k, OUTER_ROWS), True)
    # Few channels take less than a panel; the blocks stay the same, as their sums are.
    c_panel = smaller(products.gemm.tile_columns, whole(v.c, LANES))
    k_panel = smaller(OUTER_ROWS, whole(v.k, LANES))
    place_blocks(&g.blocks, 1, g.w.planes, whole(v.c, c_panel), g.w.positions,
                 whole(v.k, k_panel))
    g.blocks.v.panel, g.blocks.m.panel = c_panel, k_panel
    sums_bytes = 4 * g.w.planes * g.plane
    g.ranges = RANGES
    while g.ranges > 1 and (g.ranges * range_blocks(g.ranges) > g.blocks.count or
                            (g.ranges - 1) * sums_bytes > RANGES_BYTES):
        g.ranges //= 2
    balance_blocks(&g.blocks, g.ranges)
    g.x = g.dy = NULL
    g.norm = NULL
    g.dw = g.sums = NULL
    g.accumulate, g.workspace = 0, NULL
    return g


cdef bint by_ranges(const Weights *g, int threads) noexcept nogil:
    return threads > 1 and g.ranges >= threads


cdef int64_t sums_floats(const Weights *g) noexcept nogil:
    """Floats of the sums of a range."""
    return g.w.planes * g.plane


cdef int64_t slot_at(const Weights *g, int threads) noexcept nogil:
    """Where sums end and a block begins: of a thread's ranges; or of those done, and one range."""
    cdef int64_t held = smaller(g.ranges, 2)
    if by_ranges(g, threads):
        held = (g.ranges + threads - 1) // threads
    return 4 * held * sums_floats(g)


cdef int64_t slot_bytes(const Weights *g, int threads) noexcept nogil:
    """The sums and the block of a thread, side by side: nobody else writes there."""
    return slot_at(g, threads) + g.blocks.bytes


cdef void read_chunk(const void *job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Weights *g = <const Weights *> job
    cdef int64_t at = chunk * CHUNK_TILES, count = smaller(CHUNK_TILES, block.count - at)
    cdef read_tiles_fn read
    read = g.w.read_x if g.norm == NULL else g.w.read_normed_x
    read(&g.source, g.x, g.norm, g.c, block.first + at, count, at, &block.v)
    g.w.read_outer_dy(&g.target, g.dy, NULL, g.k, block.first + at, count, at, &block.m)


cdef void add_plane(const void *job, const Block *block, int64_t plane) noexcept nogil:
    cdef const Weights *g = <const Weights *> job
    g.w.outer(&block.m, &block.v, block.count, g.k, g.c, plane, g.sums + plane * g.plane,
              g.accumulate, block.v_tiles)


cdef void run_range(const Weights *whole_job, int64_t number, float *sums, char *memory,
                    int threads) noexcept nogil:
    cdef Weights g = whole_job[0]
    cdef Block block
    cdef int64_t first = g.blocks.count * number // g.ranges, i
    g.sums = sums
    for i in range(first, g.blocks.count * (number + 1) // g.ranges):
        g.accumulate = i > first
        block = block_of(&g.blocks, i, memory, g.w, 1)
        spread(read_chunk, &g, &block, (block.count + CHUNK_TILES - 1) // CHUNK_TILES, threads)
        spread(add_plane, &g, &block, g.w.planes, threads)


cdef int64_t first_range(const Weights *g, int64_t member, int threads) noexcept nogil:
    """Of a thread, as `deal` deals them."""
    return g.ranges * member // threads


cdef float *sums_of(const Weights *g, int64_t member, int threads) noexcept nogil:
    """The sums of a thread's first range; those of the next ones follow."""
    return <float *> (g.workspace + member * slot_bytes(g, threads))


cdef float *range_sums(const Weights *g, int64_t number, int threads) noexcept nogil:
    """The sums of a range, with those of the thread that it was dealt to."""
    cdef int64_t owner = 0
    while first_range(g, owner + 1, threads) <= number:
        owner += 1
    return sums_of(g, owner, threads) + (number - first_range(g, owner, threads)) * sums_floats(g)


cdef void run_member(const Weights *g, Shares *shares, int64_t member, int threads) noexcept nogil:
    """The ranges of one thread."""
    cdef char *slot = <char *> sums_of(g, member, threads) + slot_at(g, threads)
    cdef int64_t number = next_of(shares, member)
    while number >= 0:
        run_range(g, number, range_sums(g, number, threads), slot, 1)
        number = next_of(shares, member)


cdef void add_ranges(const Weights *g, int64_t first, int64_t end, int threads) noexcept nogil:
    """Values first .. end of the sums of all ranges, added to those of range 0 in order."""
    cdef int64_t number
    for number in range(1, g.ranges):
        add_values(sums_of(g, 0, threads) + first, range_sums(g, number, threads) + first,
                   end - first)


cdef void write_rows(const Weights *g, int64_t chunk) noexcept nogil:
    g.w.write_weight(<const float *> g.workspace, g.plane, g.c, chunk * WEIGHT_ROWS,
                     smaller(g.k, (chunk + 1) * WEIGHT_ROWS), 0, g.dw)


cdef void run_ranges(const Conv *v, const float *x, const norm_columns *norm, const float *dy,
                     float *dw, char *workspace, int threads) noexcept nogil:
    cdef Weights g = cut_weights(v)
    cdef Shares shares
    cdef int64_t number, member, chunk, floats = sums_floats(&g)
    cdef char *slot = workspace + slot_at(&g, threads)
    cdef float *sums = <float *> workspace
    g.x, g.norm, g.dy, g.dw, g.workspace = x, norm, dy, dw, workspace
    if by_ranges(&g, threads):
        deal(&shares, g.ranges, threads)
        for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
            run_member(&g, &shares, member, threads)
        for chunk in prange((floats + CHUNK - 1) // CHUNK, num_threads=threads, schedule="static",
                            use_threads_if=floats * g.ranges > SERIAL):
            add_ranges(&g, chunk * CHUNK, smaller(floats, (chunk + 1) * CHUNK), threads)
    else:
        run_range(&g, 0, sums, slot, threads)
        for number in range(1, g.ranges):
            run_range(&g, number, sums + floats, slot, threads)
            add_sums(sums, sums + floats, floats, 1, threads)
    for chunk in prange((g.k + WEIGHT_ROWS - 1) // WEIGHT_ROWS, num_threads=threads,
                        schedule="static", use_threads_if=threads > 1):
        write_rows(&g, chunk)


cdef bint sums_fit(const Conv *v) noexcept nogil:
    """Whether the sums of all values stay near: each block of tiles reads and writes them."""
    return 4 * table_of(v).planes * v.c * v.k <= SUMS_BYTES


cdef int64_t weights_bytes(const Conv *v, int threads) noexcept nogil:
    cdef Weights g = cut_weights(v)
    if not sums_fit(v):
        return weight_bands_bytes(v, threads)
    return slot_bytes(&g, threads) * (threads if by_ranges(&g, threads) else 1)


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


KERNELS = {"winograd_grad_weight": (<uintptr_t> &winograd_grad_weight, _extents)}

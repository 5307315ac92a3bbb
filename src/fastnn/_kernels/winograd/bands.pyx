"""Winograd forward and input gradient if the last cache cannot hold the transformed weights.

A large block of tiles is transformed once. Then each thread takes bands of output columns: it packs
the weights of a band, multiplies position by position, and writes the band's channels. So each
thread has only one band of transformed weights at a time, which stays in the caches. The weight
gradient (weight_bands.pyx) uses the same blocks and bands.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.sizes cimport larger, smaller, whole
from fastnn._kernels.winograd.table cimport winograd_table
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, Block, Pass, block_fn, multiply, pack_panel, pack_scratch, packed_plane, plane_of,
    point_to, read_tiles, spread, write_tiles)

cdef enum:
    BAND_COLUMNS = 64          # whole panels of every level
    TILES_BYTES = 10 << 20     # of transformed tiles in a block: most of them stay in
    LEAST_TILES = 120          # the last cache, and so many pay for packing the weights

# A slot: pointers to tiles of a band, those tiles (before: scratch to pack) and packed weights.
cdef struct Bands:
    Pass g
    Tiles cut
    int64_t plane, m_at, packed_at


cdef Tiles cut_tiles(const winograd_table *w, int64_t tiles, int64_t terms, int64_t planes,
                     int64_t channels, int64_t v_panel, int64_t m_panel) noexcept nogil:
    """Blocks of about equal size; planes, channels: of a tile that is read, in whole panels."""
    cdef Tiles cut
    cdef int64_t most = larger(LEAST_TILES, TILES_BYTES // (4 * planes * channels))
    cut.w, cut.tiles, cut.terms = w, tiles, terms
    cut.count = larger(1, (tiles + most // 2) // most)
    cut.size = smaller(tiles, whole((tiles + cut.count - 1) // cut.count, CHUNK_TILES))
    cut.count = (tiles + cut.size - 1) // cut.size
    cut.v.tiles = cut.m.tiles = cut.size
    cut.v.panel, cut.m.panel = v_panel, m_panel
    cut.v.plane, cut.m.plane = plane_of(cut.size, channels), plane_of(cut.size, m_panel)
    cut.v.data = cut.m.data = NULL
    cut.v_at = whole(8 * terms * cut.size, 64)
    cut.slots_at = cut.v_at + 4 * planes * cut.v.plane
    cut.bands = cut.slot_bytes = 0
    return cut


cdef int team_of(const Tiles *cut, int threads) noexcept nogil:
    """Each thread has a band of its own."""
    return <int> smaller(threads, cut.bands)


cdef int64_t tiles_bytes(const Tiles *cut, int threads) noexcept nogil:
    return cut.slots_at + team_of(cut, threads) * cut.slot_bytes


cdef Block block_of(const Tiles *cut, int64_t number, char *workspace) noexcept nogil:
    cdef Block block
    block.first = number * cut.size
    block.count = smaller(cut.size, cut.tiles - block.first)
    block.v, block.m = cut.v, cut.m
    block.v.data = <float *> (workspace + cut.v_at)
    block.v_tiles = <const float **> workspace
    block.m_tiles = NULL
    point_to(block.v_tiles, block.count, &block.v, cut.w, cut.terms)
    return block


cdef void run_tiles(const Tiles *cut, block_fn read, band_fn run, const void *job, char *workspace,
                    int threads) noexcept nogil:
    """One block after the other: it is read, chunk by chunk, then multiplied, band by band."""
    cdef Block block
    cdef int64_t number, band
    cdef int team = team_of(cut, threads)
    cdef char *slots = workspace + cut.slots_at
    for number in range(cut.count):
        block = block_of(cut, number, workspace)
        spread(read, job, &block, (block.count + CHUNK_TILES - 1) // CHUNK_TILES, threads)
        if team > 1:
            for band in prange(cut.bands, num_threads=team, schedule="dynamic"):
                run(job, &block, band, slots + threadid() * cut.slot_bytes)
        else:  # where OpenMP would allocate what it needs to hand out work
            for band in range(cut.bands):
                run(job, &block, band, slots)


cdef int64_t band_count(int64_t columns) noexcept nogil:
    return (columns + BAND_COLUMNS - 1) // BAND_COLUMNS


cdef int64_t band_width(int64_t columns, int64_t band) noexcept nogil:
    return smaller(BAND_COLUMNS, columns - band * BAND_COLUMNS)


cdef Bands cut_bands(const Pass *g) noexcept nogil:
    cdef Bands job
    cdef int64_t width = smaller(BAND_COLUMNS, whole(g.columns, LANES))
    cdef int64_t depth = whole(g.depth, LANES)
    job.g = g[0]
    job.cut = cut_tiles(g.w, g.tiles, g.terms, g.v_planes, depth, depth, width)
    job.plane = packed_plane(g.depth, width)
    job.m_at = whole(8 * job.cut.size, 64)
    job.packed_at = job.m_at + larger(pack_scratch(), 4 * g.m_planes * job.cut.m.plane)
    job.cut.bands = band_count(g.columns)
    job.cut.slot_bytes = job.packed_at + whole(4 * g.w.planes * job.plane, 64)
    return job


cdef int64_t bands_bytes(const Pass *g, int threads) noexcept nogil:
    cdef Bands job = cut_bands(g)
    return tiles_bytes(&job.cut, threads)


cdef void read_chunk(const void *bands, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = &(<const Bands *> bands).g
    cdef int64_t at = chunk * CHUNK_TILES
    read_tiles(g, block.first + at, smaller(CHUNK_TILES, block.count - at), at, &block.v)


cdef void run_band(const void *bands, const Block *tiles, int64_t band, char *slot) noexcept nogil:
    """All tiles of a block times one band of the weights."""
    cdef const Bands *job = <const Bands *> bands
    cdef Block block = tiles[0]
    cdef Pass g = job.g
    cdef int64_t first = band * BAND_COLUMNS, columns = band_width(g.columns, band)
    cdef int64_t step = products.gemm.tile_columns, panels = (columns + step - 1) // step, panel, t
    cdef int64_t chunk
    cdef float *packed = <float *> (slot + job.packed_at)
    block.m.data = <float *> (slot + job.m_at)
    block.m_tiles = <float **> slot
    for t in range(block.count):
        block.m_tiles[t] = block.m.data + t * block.m.panel
    g.weight += first * (1 if g.backward else 9 * g.depth)
    for panel in range(panels):
        pack_panel(&g, panel * step, smaller(step, columns - panel * step), packed, job.plane,
                   slot + job.m_at)
    for t in range(g.m_planes):
        multiply(&g, columns, &block, packed, job.plane, t, 0, panels)
    for chunk in range((block.count + CHUNK_TILES - 1) // CHUNK_TILES):
        t = chunk * CHUNK_TILES
        write_tiles(&job.g, &block.m, block.first + t, smaller(CHUNK_TILES, block.count - t), t,
                    first, columns)


cdef void run_bands(const Pass *g, int threads) noexcept nogil:
    """y = x * weight."""
    cdef Bands job = cut_bands(g)
    run_tiles(&job.cut, read_chunk, run_band, &job, g.workspace, threads)

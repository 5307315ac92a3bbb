"""Winograd forward and input gradient where the last cache does not hold the transformed weights.

A large block of tiles is transformed once. Then each thread takes bands of output columns: it
packs the weights of a band, multiplies position by position, and writes the band's channels. So
no more than a band of transformed weights a thread is ever whole, and it stays in the caches.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.sizes cimport larger, smaller, whole
from fastnn._kernels.winograd.table cimport tile_values
from fastnn._kernels.winograd.tiles cimport (
    Block, CHUNK_TILES, Pass, multiply, pack_panel, pack_scratch, packed_plane, plane_of,
    point_to, read_tiles, spread, write_tiles)

cdef enum:
    BAND_COLUMNS = 64          # whole panels of every level
    TILES_BYTES = 10 << 20     # of transformed tiles in a block: most of them stay in
    LEAST_TILES = 120          # the last cache, and so many pay for packing the weights

# Memory: pointers to tiles, transformed tiles; then each thread's pointers to tiles of a
# band, those tiles (before: scratch to pack) and packed weights.
cdef struct Bands:
    Pass g
    Tiles cut
    int64_t bands, plane, v_at, slots_at, m_at, packed_at, slot_bytes
    tile_values v, m


cdef Tiles cut_tiles(int64_t tiles, int64_t floats) noexcept nogil:
    """Blocks of about equal size; floats: of a transformed tile."""
    cdef Tiles cut
    cdef int64_t most = larger(LEAST_TILES, TILES_BYTES // (4 * floats))
    cut.tiles = tiles
    cut.count = larger(1, (tiles + most // 2) // most)
    cut.size = smaller(tiles, whole((tiles + cut.count - 1) // cut.count, CHUNK_TILES))
    cut.count = (tiles + cut.size - 1) // cut.size
    return cut


cdef int64_t band_count(int64_t columns) noexcept nogil:
    return (columns + BAND_COLUMNS - 1) // BAND_COLUMNS


cdef Bands cut_bands(const Pass *g) noexcept nogil:
    cdef Bands job
    cdef int64_t width = smaller(BAND_COLUMNS, whole(g.columns, LANES))
    job.g = g[0]
    job.bands = band_count(g.columns)
    job.cut = cut_tiles(g.tiles, g.v_planes * whole(g.depth, LANES))
    job.v.tiles = job.m.tiles = job.cut.size
    job.v.panel, job.m.panel = whole(g.depth, LANES), width
    job.v.plane = plane_of(job.cut.size, job.v.panel)
    job.m.plane = plane_of(job.cut.size, job.m.panel)
    job.v.data = job.m.data = NULL
    job.plane = packed_plane(g.depth, width)
    job.v_at = whole(8 * g.terms * job.cut.size, 64)
    job.slots_at = job.v_at + 4 * g.v_planes * job.v.plane
    job.m_at = whole(8 * job.cut.size, 64)
    job.packed_at = job.m_at + larger(pack_scratch(), 4 * g.m_planes * job.m.plane)
    job.slot_bytes = job.packed_at + whole(4 * g.w.planes * job.plane, 64)
    return job


cdef int64_t bands_bytes(const Pass *g, int threads) noexcept nogil:
    cdef Bands job = cut_bands(g)
    return job.slots_at + threads * job.slot_bytes


cdef void read_chunk(const void *bands, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = &(<const Bands *> bands).g
    cdef int64_t at = chunk * CHUNK_TILES
    read_tiles(g, block.first + at, smaller(CHUNK_TILES, block.count - at), at, &block.v)


cdef Block block_of(const Bands *job, int64_t number) noexcept nogil:
    cdef Block block
    block.first = number * job.cut.size
    block.count = smaller(job.cut.size, job.cut.tiles - block.first)
    block.v, block.m = job.v, job.m
    block.v.data = <float *> (job.g.workspace + job.v_at)
    block.v_tiles = <const float **> job.g.workspace
    block.m_tiles = NULL
    point_to(block.v_tiles, block.count, &block.v, job.g.w, job.g.terms)
    return block


cdef void run_band(const Bands *job, const Block *tiles, int64_t band, char *slot) noexcept nogil:
    """All tiles of a block times one band of the weights."""
    cdef Block block = tiles[0]
    cdef Pass g = job.g
    cdef int64_t first = band * BAND_COLUMNS, columns = smaller(BAND_COLUMNS, g.columns - first)
    cdef int64_t step = products.gemm.tile_columns, panels = (columns + step - 1) // step, panel, t
    cdef int64_t chunk
    cdef float *packed = <float *> (slot + job.packed_at)
    block.m.data = <float *> (slot + job.m_at)
    block.m_tiles = <float **> slot
    for t in range(block.count):
        block.m_tiles[t] = block.m.data + t * job.m.panel
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
    """y = x * weight; each thread has a band to itself."""
    cdef Bands job = cut_bands(g)
    cdef Block block
    cdef int64_t number, band
    cdef char *slots = g.workspace + job.slots_at
    for number in range(job.cut.count):
        block = block_of(&job, number)
        spread(read_chunk, &job, &block, (block.count + CHUNK_TILES - 1) // CHUNK_TILES, threads)
        if threads > 1:
            for band in prange(job.bands, num_threads=threads, schedule="dynamic"):
                run_band(&job, &block, band, slots + threadid() * job.slot_bytes)
        else:  # where OpenMP would allocate what it needs to hand out work
            for band in range(job.bands):
                run_band(&job, &block, band, slots)

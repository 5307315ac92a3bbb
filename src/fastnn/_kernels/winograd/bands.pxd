from libc.stdint cimport int64_t

from fastnn._kernels.winograd.table cimport tile_values, winograd_table
from fastnn._kernels.winograd.tiles cimport Block, Pass, block_fn

# Blocks of transformed tiles, which all threads share as they are read, and the bands of what they
# are multiplied with. Memory: pointers to tiles, `terms` each; the tiles of a block; then a slot
# for each thread. The bands and the size of a slot are for the caller.
cdef struct Tiles:
    const winograd_table *w
    int64_t tiles, size, count, terms, v_at, slots_at, bands, slot_bytes
    tile_values v, m

# Multiplies a block with one band.
ctypedef void (*band_fn)(const void *job, const Block *block, int64_t band,
                         char *slot) noexcept nogil

cdef Tiles cut_tiles(const winograd_table *w, int64_t tiles, int64_t terms, int64_t planes,
                     int64_t channels, int64_t v_panel, int64_t m_panel) noexcept nogil
cdef int64_t tiles_bytes(const Tiles *cut, int threads) noexcept nogil
cdef void run_tiles(const Tiles *cut, block_fn read, band_fn run, const void *job, char *workspace,
                    int threads) noexcept nogil
cdef int64_t band_count(int64_t columns) noexcept nogil
cdef int64_t band_width(int64_t columns, int64_t band) noexcept nogil
cdef int64_t bands_bytes(const Pass *g, int threads) noexcept nogil
cdef void run_bands(const Pass *g, int threads) noexcept nogil

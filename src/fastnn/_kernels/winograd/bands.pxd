from libc.stdint cimport int64_t

from fastnn._kernels.winograd.tiles cimport Pass

# What all threads share: blocks of transformed tiles, as they are read.
cdef struct Tiles:
    int64_t tiles, size, count

cdef Tiles cut_tiles(int64_t tiles, int64_t floats) noexcept nogil
cdef int64_t band_count(int64_t columns) noexcept nogil
cdef int64_t bands_bytes(const Pass *g, int threads) noexcept nogil
cdef void run_bands(const Pass *g, int threads) noexcept nogil

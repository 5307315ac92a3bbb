from libc.stdint cimport int64_t

from fastnn._kernels.conv2d cimport Conv
from fastnn._kernels.dispatch cimport tile_grid, tile_values

cdef enum:
    CHUNK_TILES = 24  # one part of a transform; a multiple of every tile_rows

# How tiles are cut into blocks, and where in its memory a block keeps pointers and values.
cdef struct Blocks:
    int64_t tiles, size, count, v_at, m_at, bytes
    tile_values v, m

# One block: tiles [first, first + count), what is read and what is written, a pointer each.
cdef struct Block:
    int64_t first, count
    tile_values v, m
    const float **v_tiles
    float **m_tiles

ctypedef void (*block_fn)(const void *job, const Block *block, int64_t part) noexcept nogil

cdef tile_grid grid(int64_t height, int64_t width, int64_t channels, int64_t rows,
                    int64_t columns, int64_t top, int64_t left) noexcept nogil
cdef Blocks cut_blocks(int64_t tiles, int64_t v_channels, int64_t m_channels,
                       int64_t weights) noexcept nogil
cdef Block block_of(const Blocks *blocks, int64_t number, char *memory,
                    int64_t v_step) noexcept nogil
cdef void spread(block_fn run, const void *job, const Block *block, int64_t parts,
                 int threads) noexcept nogil
cdef Conv read_winograd(d) except *

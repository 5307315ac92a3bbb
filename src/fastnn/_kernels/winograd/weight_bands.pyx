"""Winograd's weight gradient where the last cache does not hold the sums of all planes.

A large block of tiles of x is transformed once. Then each thread takes pieces of dw: bands of its
rows, for large teams some columns of them. It transforms the band's channels of dy, sums at each
value, and adds the piece to dw. Blocks come one after the other, so the sums are the same for any
number of threads.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.sizes cimport smaller, whole
from fastnn._kernels.winograd.bands cimport Tiles, cut_tiles, run_tiles, tiles_bytes
from fastnn._kernels.winograd.table cimport read_tiles_fn, tile_grid, tile_values, winograd_table
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, Block, forward_source, forward_target, point_to, table_of)
from fastnn._kernels.winograd.weight_cuts cimport Cuts, Piece, cut_weight, piece_at, piece_count

cdef enum:
    BAND_ROWS = 48  # channels of dy side by side: whole tiles of rows, whole vectors

# A slot: pointers to a piece's tiles of x, its tiles of dy, and its sums.
cdef struct WeightBands:
    const winograd_table *w
    tile_grid source, target
    Tiles cut  # v: of x, m: of dy
    Cuts cuts
    int64_t c, plane, dy_at, sums_at
    const float *x
    const norm_columns *norm  # behind which a ReLU x is read, or NULL
    const float *dy
    float *dw


cdef Cuts bands_cuts(const Conv *v, int threads) noexcept nogil:
    return cut_weight(v.k, v.c, 1, BAND_ROWS, threads)


cdef WeightBands cut_weight_bands(const Conv *v, int threads) noexcept nogil:
    cdef WeightBands g
    g.w, g.c = table_of(v), v.c
    g.source, g.target = forward_source(v), forward_target(v)
    g.cut = cut_tiles(g.w, v.n * g.target.rows * g.target.columns, 1, g.w.planes,
                      whole(v.c, products.gemm.tile_columns), products.gemm.tile_columns, BAND_ROWS)
    g.cuts = bands_cuts(v, threads)
    g.plane = g.cuts.rows * whole(g.cuts.columns, LANES) + 16
    g.dy_at = whole(8 * g.cut.size, 64)
    g.sums_at = g.dy_at + 4 * g.w.positions * g.cut.m.plane
    g.cut.bands = piece_count(&g.cuts)
    g.cut.slot_bytes = g.sums_at + whole(4 * g.w.planes * g.plane, 64)
    g.x = g.dy = NULL
    g.norm = NULL
    g.dw = NULL
    return g


cdef int64_t weight_bands_bytes(const Conv *v, int threads) noexcept nogil:
    cdef WeightBands g = cut_weight_bands(v, threads)
    return tiles_bytes(&g.cut, threads)


cdef void read_chunk(const void *job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const WeightBands *g = <const WeightBands *> job
    cdef int64_t at = chunk * CHUNK_TILES
    cdef read_tiles_fn read
    read = g.w.read_x if g.norm == NULL else g.w.read_normed_x
    read(&g.source, g.x, g.norm, g.c, block.first + at, smaller(CHUNK_TILES, block.count - at), at,
         &block.v)


cdef void run_piece(const void *job, const Block *block, int64_t number,
                    char *slot) noexcept nogil:
    """A piece of dw (+)= its channels of dy times those of a block of tiles of x."""
    cdef const WeightBands *g = <const WeightBands *> job
    cdef Piece piece = piece_at(&g.cuts, number)
    cdef tile_values x = block.v, dy = block.m
    cdef const float **tiles = <const float **> slot
    cdef float *sums = <float *> (slot + g.sums_at)
    cdef int64_t plane
    x.data += piece.column * x.tiles  # whole panels
    dy.data = <float *> (slot + g.dy_at)
    point_to(tiles, block.count, &x, g.w, 1)
    g.w.read_outer_dy(&g.target, g.dy + piece.row, NULL, piece.rows, block.first, block.count, 0,
                      &dy)
    for plane in range(g.w.planes):
        g.w.outer(&dy, &x, block.count, piece.rows, piece.columns, plane, sums + plane * g.plane,
                  0, tiles)
    g.w.write_weight(sums, g.plane, piece.columns, g.c, 0, piece.rows, block.first > 0,
                     g.dw + piece.row * 9 * g.c + piece.column)


cdef void run_weight_bands(const Conv *v, const float *x, const norm_columns *norm,
                           const float *dy, float *dw, char *workspace,
                           int threads) noexcept nogil:
    """dw = sum over blocks of tiles; overwritten."""
    cdef WeightBands g = cut_weight_bands(v, threads)
    g.x, g.norm, g.dy, g.dw = x, norm, dy, dw
    run_tiles(&g.cut, read_chunk, run_piece, &g, workspace, threads)

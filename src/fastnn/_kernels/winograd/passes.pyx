"""3x3 convolutions of stride 1 or 2 by Winograd's minimal filtering: forward and input gradient.

A block of tiles of all images at a time, in three parts: transform the tiles that are read, one
product for each value of a tile, transform the tiles that are written. Each thread has blocks of
its own; where tiles are too few, blocks are done one after the other by all threads together.
Weights that would not stay in the last cache go in bands (bands.pyx). Each output is the
same sum every way. Sizes `d` are those of conv/direct.pyx.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport Conv, forward_extents, grad_input_extents
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.shares cimport Shares, deal, next_of
from fastnn._kernels.sizes cimport larger, smaller, whole
from fastnn._kernels.winograd.bands cimport band_count, bands_bytes, run_bands
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, Block, Blocks, Pass, balance_blocks, block_of, cut_blocks, fits_cache, multiply,
    pack_panel, pack_scratch, packed_plane, pass_of, read_tiles, read_winograd, spread, write_tiles)

# A pass with all of its packed weights at hand. own: each thread packs them for itself.
cdef struct Whole:
    Pass g
    int64_t panels, part_panels, plane, packed_bytes
    bint own
    float *packed
    Blocks blocks


cdef bint by_blocks(const Blocks *blocks, int threads) noexcept nogil:
    """Whether each thread has blocks of its own, so that it reads nothing from other caches."""
    return 1 < threads <= blocks.chunks


cdef Whole cut_whole(const Pass *g, int threads) noexcept nogil:
    cdef Whole job
    job.g = g[0]
    job.panels = (g.columns + products.gemm.tile_columns - 1) // products.gemm.tile_columns
    job.part_panels = smaller(job.panels, 8)
    job.plane = packed_plane(g.depth, g.columns)
    job.packed_bytes = whole(4 * g.w.planes * job.plane, 64)
    job.blocks = cut_blocks(g.tiles, g.terms, g.v_planes, whole(g.depth, LANES), g.m_planes,
                            whole(g.columns, LANES), fits_cache(g))
    if by_blocks(&job.blocks, threads):
        balance_blocks(&job.blocks, threads)
    # One thread would pack a single panel while the others wait, and they would then fetch it.
    job.own = job.panels == 1 and by_blocks(&job.blocks, threads)
    job.packed = <float *> g.workspace
    return job


cdef int64_t slot_bytes(const Whole *job) noexcept nogil:
    """A thread's own memory: scratch for packing, later a block; first its packed weights."""
    cdef int64_t bytes = larger(whole(pack_scratch(), 64), job.blocks.bytes)
    return job.packed_bytes + bytes if job.own else bytes


cdef int64_t whole_bytes(const Pass *g, int threads) noexcept nogil:
    """Weights that all threads share are packed before the first block, in the same memory."""
    cdef Whole job = cut_whole(g, threads)
    if by_blocks(&job.blocks, threads):
        return (0 if job.own else job.packed_bytes) + threads * slot_bytes(&job)
    return job.packed_bytes + larger(threads * pack_scratch(), job.blocks.bytes)


cdef void pack(const Whole *job, int64_t panel, char *scratch) noexcept nogil:
    cdef int64_t width = products.gemm.tile_columns, first = panel * width
    pack_panel(&job.g, first, smaller(width, job.g.columns - first), job.packed, job.plane, scratch)


cdef void pack_all(const Whole *job, char *scratch, int threads) noexcept nogil:
    cdef int64_t panel
    for panel in prange(job.panels, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and job.panels > 1):
        pack(job, panel, scratch + threadid() * pack_scratch())


cdef void read_chunk(const void *whole_job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = &(<const Whole *> whole_job).g
    cdef int64_t at = chunk * CHUNK_TILES
    read_tiles(g, block.first + at, smaller(CHUNK_TILES, block.count - at), at, &block.v)


cdef void multiply_part(const void *whole_job, const Block *block, int64_t part) noexcept nogil:
    cdef const Whole *job = <const Whole *> whole_job
    cdef int64_t first = part // job.g.m_planes * job.part_panels
    multiply(&job.g, job.g.columns, block, job.packed, job.plane, part % job.g.m_planes, first,
             smaller(job.panels, first + job.part_panels))


cdef void write_chunk(const void *whole_job, const Block *block, int64_t chunk) noexcept nogil:
    cdef const Pass *g = &(<const Whole *> whole_job).g
    cdef int64_t at = chunk * CHUNK_TILES
    write_tiles(g, &block.m, block.first + at, smaller(CHUNK_TILES, block.count - at), at, 0,
                g.columns)


cdef void run_block(const Whole *job, int64_t number, char *memory, int threads) noexcept nogil:
    cdef Block block = block_of(&job.blocks, number, memory, job.g.w, job.g.terms)
    cdef int64_t chunks = (block.count + CHUNK_TILES - 1) // CHUNK_TILES
    spread(read_chunk, job, &block, chunks, threads)
    spread(multiply_part, job, &block,
           job.g.m_planes * ((job.panels + job.part_panels - 1) // job.part_panels), threads)
    spread(write_chunk, job, &block, chunks, threads)


cdef void run_member(const Whole *whole_job, Shares *shares, int64_t member) noexcept nogil:
    """The blocks of one thread."""
    cdef Whole job = whole_job[0]
    cdef char *slot = job.g.workspace + member * slot_bytes(&job)
    cdef int64_t number
    if job.own:
        job.packed = <float *> slot
        pack(&job, 0, slot + job.packed_bytes)
    slot += job.packed_bytes
    number = next_of(shares, member)
    while number >= 0:
        run_block(&job, number, slot, 1)
        number = next_of(shares, member)


cdef void run_whole(const Pass *g, int threads) noexcept nogil:
    cdef Whole job = cut_whole(g, threads)
    cdef Shares shares
    cdef int64_t number, member
    cdef char *rest = g.workspace + job.packed_bytes
    if not job.own:
        pack_all(&job, rest, threads)
    if by_blocks(&job.blocks, threads):
        deal(&shares, job.blocks.count, threads)
        for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
            run_member(&job, &shares, member)
    else:
        for number in range(job.blocks.count):
            run_block(&job, number, rest, threads)


cdef bint by_bands(const Pass *g, int threads) noexcept nogil:
    """Whether the weights are packed a band at a time: each thread needs one to itself."""
    return not fits_cache(g) and band_count(g.columns) >= threads


cdef void run_pass(const Pass *g, int threads) noexcept nogil:
    """y = x * weight, where weight is turned and its channels are swapped if backward."""
    if by_bands(g, threads):
        run_bands(g, threads)
    else:
        run_whole(g, threads)


cdef int64_t pass_bytes(const Pass *g, int threads) noexcept nogil:
    return bands_bytes(g, threads) if by_bands(g, threads) else whole_bytes(g, threads)


cdef void winograd_forward(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """conv2d_forward for 3x3 filters of stride 1 or 2, dilation 1, in one group; overwritten.

    p: x[n,h,w,c], weight[k,3,3,c], bias[k], y[n,oh,ow,k], workspace.  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Pass g = pass_of(v, False)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[3], p[4]
    g.bias = <float *> p[2] if v.has_bias else NULL
    run_pass(&g, threads)


cdef void winograd_grad_input(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = the adjoint of winograd_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,3,3,c], dx[n,h,w,c], workspace.  dx overlaps nothing.
    """
    cdef Pass g = pass_of(<const Conv *> d, True)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[2], p[3]
    run_pass(&g, threads)


def _forward_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, False)
    return forward_extents(&v, pass_bytes(&g, threads))


def _grad_input_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, True)
    return grad_input_extents(&v, pass_bytes(&g, threads))


KERNELS = {
    "winograd_forward": (<uintptr_t> &winograd_forward, _forward_extents),
    "winograd_grad_input": (<uintptr_t> &winograd_grad_input, _grad_input_extents),
}

"""3x3 convolutions of stride 1 or 2 by Winograd's minimal filtering: forward and input gradient.

A block of tiles of all images at a time, in three parts: transform the tiles that are read, one
product for each value of a tile, transform the tiles that are written. Each thread has items of its
own: blocks, or some columns of blocks where blocks alone would be few or uneven; whoever does
several columns of a block reads its tiles once. Weights that would not stay in the last cache go in
bands (bands.pyx). Each output is the same sum every way. Sizes `d` are those of conv/direct.pyx.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport (
    Conv, forward_extents, grad_input_extents, sizes_bytes)
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.shares cimport Shares, deal, next_of
from fastnn._kernels.sizes cimport larger, smaller, whole
from fastnn._kernels.winograd.bands cimport band_count, band_width, bands_bytes, run_bands
from fastnn._kernels.winograd.table cimport tile_values
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, TRANSFORM, Block, Blocks, Pass, balance_blocks, block_of, cut_blocks, first_tile,
    fits_cache, multiply, pack_panel, pack_scratch, packed_plane, pass_of, read_tiles,
    read_winograd, write_tiles)

cdef enum:
    PART_PANELS = 8  # of packed weights that are used for all planes before the next ones

# A pass with all of its packed weights at hand. packed_bytes: of those packed here; own: each
# thread packs them for itself. An item is one of `cuts` runs of panels of a block; a block's items
# follow each other.
cdef struct Whole:
    Pass g
    int64_t panels, cuts, items, plane, packed_bytes
    bint own
    float *packed
    Blocks blocks


cdef int64_t duration(const Whole *job, int64_t blocks, int64_t cuts, int threads) noexcept nogil:
    """Of the busiest thread, in products of a chunk of tiles for one channel with one.

    Its items follow each other, so they are of few blocks, each of which is read once.
    """
    cdef int64_t columns = smaller(job.g.columns, (job.panels + cuts - 1) // cuts *
                                   products.gemm.tile_columns)
    cdef int64_t items = (blocks * cuts + threads - 1) // threads
    cdef int64_t reads = smaller(items, (items + cuts - 2) // cuts + 1)
    return (job.blocks.chunks + blocks - 1) // blocks * (
        items * columns * (job.g.depth + TRANSFORM) + reads * TRANSFORM * job.g.depth)


cdef void share_out(Whole *job, int threads) noexcept nogil:
    """As many blocks for each thread; other blocks and cuts where that is a twentieth faster."""
    cdef int64_t best, cuts, time, each, count
    balance_blocks(&job.blocks, threads)
    best = duration(job, job.blocks.count, 1, threads)
    for cuts in range(1, smaller(job.panels, threads) + 1):
        for each in range(2):
            count = job.blocks.chunks if each else job.blocks.count
            time = duration(job, count, cuts, threads)
            if 20 * time < 19 * best:
                best, job.blocks.count, job.cuts = time, count, cuts


cdef int64_t packed_bytes(const Pass *g) noexcept nogil:
    """Bytes of all packed weights."""
    return whole(4 * g.w.planes * packed_plane(g.depth, g.columns), 64)


cdef Whole cut_whole(const Pass *g, int threads) noexcept nogil:
    cdef Whole job
    job.g = g[0]
    job.panels = (g.columns + products.gemm.tile_columns - 1) // products.gemm.tile_columns
    job.cuts = 1
    job.plane = packed_plane(g.depth, g.columns)
    job.packed_bytes = 0 if g.is_packed else packed_bytes(g)
    job.blocks = cut_blocks(g.tiles, g.terms, g.v_planes, whole(g.depth, LANES), g.m_planes,
                            whole(g.columns, LANES), fits_cache(g))
    if threads > 1:
        share_out(&job, threads)
    job.items = job.blocks.count * job.cuts
    # One thread would pack a single panel while the others wait, and they would then fetch it.
    job.own = job.panels == 1 and threads > 1 and not g.is_packed
    job.packed = <float *> (g.packed if g.is_packed else <const float *> g.workspace)
    return job


cdef int64_t slot_bytes(const Whole *job) noexcept nogil:
    """A thread's own memory: scratch for packing, later a block; first its packed weights."""
    cdef int64_t bytes = larger(whole(pack_scratch(), 64), job.blocks.bytes)
    return job.packed_bytes + bytes if job.own else bytes


cdef int64_t whole_bytes(const Pass *g, int threads) noexcept nogil:
    """Weights that all threads share are packed before the first block, in the same memory."""
    cdef Whole job = cut_whole(g, threads)
    return (0 if job.own else job.packed_bytes) + threads * slot_bytes(&job)


cdef void pack(const Whole *job, int64_t panel, char *scratch) noexcept nogil:
    cdef int64_t width = products.gemm.tile_columns, first = panel * width
    pack_panel(&job.g, first, smaller(width, job.g.columns - first), job.packed, job.plane, scratch)


cdef void pack_all(const Whole *job, char *scratch, int threads) noexcept nogil:
    cdef int64_t panel
    for panel in prange(job.panels, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and job.panels > 1):
        pack(job, panel, scratch + threadid() * pack_scratch())


cdef void read_block(const Whole *job, const Block *block) noexcept nogil:
    cdef int64_t chunk, at
    for chunk in range((block.count + CHUNK_TILES - 1) // CHUNK_TILES):
        at = chunk * CHUNK_TILES
        read_tiles(&job.g, block.first + at, smaller(CHUNK_TILES, block.count - at), at, &block.v)


cdef void multiply_block(const Whole *job, const Block *block, int64_t first,
                         int64_t end) noexcept nogil:
    cdef int64_t number, panel = first
    while panel < end:
        for number in range(job.g.m_planes):
            multiply(&job.g, job.g.columns, block, job.packed, job.plane, number, panel,
                     smaller(end, panel + PART_PANELS))
        panel += PART_PANELS


cdef void write_block(const Whole *job, const Block *block, int64_t column,
                      int64_t end) noexcept nogil:
    cdef tile_values m = block.m
    cdef int64_t chunk, at
    m.data += column
    for chunk in range((block.count + CHUNK_TILES - 1) // CHUNK_TILES):
        at = chunk * CHUNK_TILES
        write_tiles(&job.g, &m, block.first + at, smaller(CHUNK_TILES, block.count - at), at,
                    column, end - column)


cdef int64_t first_panel(const Whole *job, int64_t cut) noexcept nogil:
    return job.panels * cut // job.cuts


cdef int64_t first_column(const Whole *job, int64_t cut) noexcept nogil:
    return smaller(job.g.columns, first_panel(job, cut) * products.gemm.tile_columns)


cdef void run_cut(const Whole *job, const Block *block, int64_t cut) noexcept nogil:
    """Some panels of a block whose tiles have been read."""
    multiply_block(job, block, first_panel(job, cut), first_panel(job, cut + 1))
    write_block(job, block, first_column(job, cut), first_column(job, cut + 1))


cdef void run_member(const Whole *whole_job, Shares *shares, int64_t member) noexcept nogil:
    """The items of one thread."""
    cdef Whole job = whole_job[0]
    cdef char *slot = job.g.workspace + member * slot_bytes(&job)
    cdef int64_t number = next_of(shares, member), last = -1
    cdef Block block
    if job.own and number >= 0:
        job.packed = <float *> slot
        pack(&job, 0, slot + job.packed_bytes)
    slot += job.packed_bytes
    while number >= 0:
        if number // job.cuts != last:
            last = number // job.cuts
            block = block_of(&job.blocks, last, slot, job.g.w, job.g.terms)
            read_block(&job, &block)
        run_cut(&job, &block, number % job.cuts)
        number = next_of(shares, member)


cdef void run_whole(const Pass *g, int threads) noexcept nogil:
    cdef Whole job = cut_whole(g, threads)
    cdef Shares shares
    cdef int64_t member
    if not job.own and not g.is_packed:
        pack_all(&job, g.workspace + job.packed_bytes, threads)
    deal(&shares, job.items, threads)
    if threads == 1:  # even a team of one costs most of a microsecond
        run_member(&job, &shares, 0)
        return
    for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
        run_member(&job, &shares, member)


cdef bint by_bands(const Pass *g, int threads) noexcept nogil:
    """Whether the weights are packed a band at a time: each thread needs one to itself."""
    return not fits_cache(g) and band_count(g.columns) >= threads


cdef void run_pass(const Pass *g, int threads) noexcept nogil:
    """y = x * weight, where weight is turned and its channels are swapped if backward."""
    if not g.is_packed and by_bands(g, threads):
        run_bands(g, threads)
    else:
        run_whole(g, threads)


cdef int64_t pass_bytes(const Pass *g, int threads) noexcept nogil:
    if not g.is_packed and by_bands(g, threads):
        return bands_bytes(g, threads)
    return whole_bytes(g, threads)


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


cdef void winograd_forward_packed(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """winograd_forward with weights that winograd_pack packed, in their place."""
    cdef const Conv *v = <const Conv *> d
    cdef Pass g = packed_pass(v)
    g.x, g.packed, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[3], p[4]
    g.bias = <float *> p[2] if v.has_bias else NULL
    run_pass(&g, threads)


cdef void winograd_pack(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """The weights as winograd_forward_packed reads them. p: weight[k,3,3,c], packed, workspace.

    d: as winograd_forward.  Overwritten; nothing overlaps.
    """
    cdef Pass g = packed_pass(<const Conv *> d)
    cdef Whole job
    g.weight, g.packed = <float *> p[0], <float *> p[1]
    job = cut_whole(&g, threads)
    pack_all(&job, p[2], threads)


cdef Pass packed_pass(const Conv *v) noexcept nogil:
    """A forward pass whose weights are packed before; the caller says where they are."""
    cdef Pass g = pass_of(v, False)
    g.is_packed = True
    return g


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


def packed_size(d):
    """Bytes of the packed weights of a forward pass; 0 where they take more than the last cache."""
    cdef Conv v = read_winograd(d)
    cdef Pass g = packed_pass(&v)
    return packed_bytes(&g) if fits_cache(&g) else 0


def _packed_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = packed_pass(&v)
    x, _, bias, y, workspace = forward_extents(&v, pass_bytes(&g, threads))
    return x, packed_bytes(&g), bias, y, workspace


def _pack_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = packed_pass(&v)
    return sizes_bytes(&v)[1], packed_bytes(&g), threads * pack_scratch()


def _grad_input_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, True)
    return grad_input_extents(&v, pass_bytes(&g, threads))


def _loads(backward):
    """Multiply-adds of each thread in a pass; of bands, each goes to the least loaded."""
    def loads(d, threads):
        cdef Conv v = read_winograd(d)
        cdef Pass g = pass_of(&v, backward)
        cdef Whole job = cut_whole(&g, threads)
        cdef int64_t i, block, cut
        found = [0] * threads
        if by_bands(&g, threads):
            for i in range(band_count(g.columns)):
                found[found.index(min(found))] += (
                    g.w.planes * g.depth * g.tiles * band_width(g.columns, i))
        else:
            for i in range(job.items):
                block, cut = i // job.cuts, i % job.cuts
                tiles = first_tile(&job.blocks, block + 1) - first_tile(&job.blocks, block)
                found[((i + 1) * threads - 1) // job.items] += g.w.planes * g.depth * tiles * (
                    first_column(&job, cut + 1) - first_column(&job, cut))
        return found
    return loads


forward_loads, grad_input_loads = _loads(False), _loads(True)
KERNELS = {
    "winograd_forward": (<uintptr_t> &winograd_forward, _forward_extents, forward_loads),
    "winograd_forward_packed": (
        <uintptr_t> &winograd_forward_packed, _packed_extents, forward_loads),
    "winograd_pack": (<uintptr_t> &winograd_pack, _pack_extents),
    "winograd_grad_input": (
        <uintptr_t> &winograd_grad_input, _grad_input_extents, grad_input_loads),
}

"""Direct convolution on channels-last images: forward and input gradient, for all arguments.

Outputs are computed in tiles, whose input pixels are found through pointers. There are five ways,
chosen by shape: 1x1 as a linear layer; depthwise along the channels; few input channels through
padded lines (a kernel row is one tap); few outputs by inner products; all else with a tap per
kernel element. The last two go region by region (regions.pyx) if much of a map is padding. Work is
cut by the shape only, and each output is the same sum in the same order for any cut. A forward pass
packs its weights, or reads them as conv2d_pack packed them before.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv.regions cimport (
    Regions, Run, count_regions, list_regions, place_region, region_pixels)
from fastnn._kernels.conv.sizes cimport (
    DEPTHWISE, GENERAL, INNER, LINEAR, PADDED, Conv, Way, by_lines, forward_extents,
    grad_input_extents, list_rows, multiply_adds, padded, padded_lines, pass_way, read_sizes,
    sizes_bytes, way_of)
from fastnn._kernels.conv.table cimport depthwise_scratch, lines_pixels, lines_scratch, simd
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.linear cimport (
    MANY, linear_grad_input, pack_product, packed_floats, product_workspace, run_product)
from fastnn._kernels.linear.table cimport (
    block_pixels, conv_padded_scratch, conv_product, conv_scratch, conv_tap, inner_floats,
    lane_depth, linear_product, padded_image, pixel_grid, simd as products)
from fastnn._kernels.sizes cimport larger, smaller, whole

from fastnn._kernels.chunks import dealt
from fastnn._kernels.linear.linear import KERNELS as LINEAR_KERNELS

cdef enum:
    CHUNKS = 16
    SERIAL = 500000      # multiply-adds: below, starting threads costs more than it gives
    PACK_SERIAL = 65536  # floats of weights: the same for packing

# How a forward or input-gradient pass is cut, and where things are in its workspace.
cdef struct Cut:
    Way way
    Regions regions
    int64_t most, panels, vectors, group_floats, taps_bytes
    int64_t starts_at, zero_at, zero_bytes, packed_at, packed_bytes, scratch_at, scratch_bytes


cdef Cut cut_pass(const Conv *v, bint backward, bint packed) noexcept nogil:
    """packed: whether the weights are, already."""
    cdef Cut cut
    cdef padded_image image = padded(v)
    cdef int64_t taps = v.kh * v.kw
    cdef int64_t depth = (v.k if backward else v.c) // v.groups
    cdef int64_t columns = (v.c if backward else v.k) // v.groups
    cut.way = pass_way(v, backward)
    cut.regions = count_regions(v, backward, cut.way == GENERAL or cut.way == INNER)
    cdef int64_t reach = lane_depth(depth) if cut.way == INNER else depth
    cut.most = block_pixels(taps, 1) // 4 if cut.way == DEPTHWISE else block_pixels(taps, reach)
    if cut.way == DEPTHWISE and by_lines(v, backward):
        cut.most = lines_pixels(v.k)
    cut.most = whole(cut.most, products.gemm.tile_rows)
    cut.panels = (columns + products.gemm.tile_columns - 1) // products.gemm.tile_columns
    cut.vectors = (columns + LANES - 1) // LANES
    cut.group_floats = taps * depth * whole(columns, LANES)
    if cut.way == INNER:
        cut.group_floats = inner_floats(taps, depth, columns, LANES)
    cut.starts_at = whole((cut.regions.runs_h + cut.regions.runs_w) * sizeof(Run), 64)
    cut.zero_at = cut.starts_at + whole(8 * (cut.regions.count + 1), 64)
    cut.zero_bytes = 4 * (v.k if cut.way == DEPTHWISE else depth)
    cut.packed_at = cut.zero_at + whole(cut.zero_bytes, 64)
    cut.packed_bytes = whole(
        4 * (taps * v.k if cut.way == DEPTHWISE else v.groups * cut.group_floats), 64)
    cut.scratch_at = cut.packed_at + (0 if packed else cut.packed_bytes)
    cut.taps_bytes = whole(taps * sizeof(conv_tap), 64)
    if cut.way == DEPTHWISE:
        cut.scratch_bytes = (lines_scratch(taps) if by_lines(v, backward) else
                             depthwise_scratch(taps, cut.most, v.k))
    elif cut.way == PADDED:
        cut.scratch_bytes = conv_padded_scratch(&image, padded_lines(v))
    else:
        cut.scratch_bytes = conv_scratch(taps, reach, cut.most)
    cut.scratch_bytes += cut.taps_bytes
    return cut


cdef int64_t block_count(const Cut *cut, int64_t pixels) noexcept nogil:
    """Blocks of so many pixels."""
    cdef int64_t blocks = (pixels + cut.most - 1) // cut.most
    return whole(blocks, 4) if blocks > 4 else blocks


cdef int64_t block_start(int64_t blocks, int64_t pixels, int64_t block) noexcept nogil:
    """The first pixel of a block; the numbers of tiles of blocks differ by at most one."""
    cdef int64_t tiles = (pixels + products.gemm.tile_rows - 1) // products.gemm.tile_rows
    return smaller(pixels, tiles * block // blocks * products.gemm.tile_rows)


cdef int64_t pass_workspace(const Conv *v, bint backward, bint packed, int threads) noexcept nogil:
    cdef Cut cut
    if way_of(v) == LINEAR:
        return product_workspace(v.n * v.h * v.w, v.k if backward else v.c,
                                 v.c if backward else v.k, False, threads)
    cut = cut_pass(v, backward, packed)
    return cut.scratch_at + threads * cut.scratch_bytes


cdef void pack_panel(const Conv *v, bint backward, const float *weight, int64_t panels,
                     int64_t chunk, int64_t group_floats, float *packed) noexcept nogil:
    """One panel of weight[k,kh,kw,c/groups], as [tap][depth][columns]."""
    cdef int64_t taps = v.kh * v.kw, inputs = v.c // v.groups, outputs = v.k // v.groups, tap
    cdef int64_t group = chunk // panels, first = chunk % panels * products.gemm.tile_columns
    cdef int64_t depth = outputs if backward else inputs
    cdef int64_t columns = smaller(products.gemm.tile_columns,
                                   (inputs if backward else outputs) - first)
    cdef int64_t width = whole(columns, LANES)
    weight += group * outputs * taps * inputs
    packed += group * group_floats + first * taps * depth
    if not backward:  # the taps of one output channel lie side by side, as the depth of one
        products.gemm.pack_columns(weight + first * taps * depth, taps * depth, taps * depth,
                                   columns, packed)
        return
    for tap in range(taps):
        products.gemm.pack_rows(weight + tap * inputs + first, taps * inputs, depth, columns,
                                packed + tap * depth * width)


cdef void pack_depthwise(const Conv *v, const float *weight, float *packed) noexcept nogil:
    cdef int64_t taps = v.kh * v.kw, tap, k
    for tap in range(taps):
        for k in range(v.k):
            packed[tap * v.k + k] = weight[k * taps + tap]


# The order of a pass's chunks: parts of the panels outermost or innermost; then regions and their
# blocks, in either order; the groups of a block together, since they share pixels. Neighbouring
# chunks go to different threads in turn.
cdef struct Order:
    int64_t blocks, groups, parts
    bint parts_outside, by_turns
    const int64_t *starts  # of each region's blocks; NULL if all have as many

# What a chunk is of: pixels of a region, for some panels of a group.
cdef struct Piece:
    int64_t region, first, count, group, panel, end_panel


cdef Piece piece_of(const Conv *v, const Cut *cut, const Order *order,
                    int64_t chunk) noexcept nogil:
    """Without pixels where a region has fewer blocks than others."""
    cdef Piece piece
    cdef int64_t part, block, blocks, pixels
    if order.parts_outside:
        part = chunk // (order.blocks * order.groups)
        chunk %= order.blocks * order.groups
    else:
        part = chunk % order.parts
        chunk //= order.parts
    piece.panel = cut.panels * part // order.parts
    piece.end_panel = cut.panels * (part + 1) // order.parts
    piece.group = chunk % order.groups
    block = chunk // order.groups
    if order.starts == NULL:
        piece.region = block % cut.regions.count
        block //= cut.regions.count
    else:
        piece.region = 0
        while order.starts[piece.region + 1] <= block:
            piece.region += 1
        block -= order.starts[piece.region]
    pixels = region_pixels(v, &cut.regions, piece.region)
    blocks = block_count(cut, pixels)
    piece.first = piece.count = 0
    if block < blocks:
        piece.first = block_start(blocks, pixels, block)
        piece.count = block_start(blocks, pixels, block + 1) - piece.first
    return piece


cdef void pass_chunk(const Conv *v, const Cut *cut, const conv_product *whole_pass, bint backward,
                     const Order *order, int64_t chunk, char *scratch) noexcept nogil:
    """A block of pixels of a region, for the panels of one part in one group."""
    cdef Piece piece = piece_of(v, cut, order, chunk)
    cdef conv_product g = whole_pass[0]
    if piece.count == 0:
        return
    g.tap = <const conv_tap *> scratch
    g.taps = place_region(v, &cut.regions, piece.region, &g.source, &g.target, &g.place,
                          <conv_tap *> scratch)
    scratch += cut.taps_bytes
    if cut.way == DEPTHWISE:
        if by_lines(v, backward):
            simd.lines.conv(&g, piece.first, piece.count, scratch)
        else:
            simd.depthwise.conv(&g, piece.first, piece.count, scratch)
        return
    g.x += piece.group * g.depth
    g.y += piece.group * g.columns
    g.packed += piece.group * cut.group_floats
    if g.bias != NULL:
        g.bias += piece.group * g.columns
    if cut.way == INNER:
        products.inner.conv(&g, piece.first, piece.count, scratch)
        return
    products.gemm.conv(&g, piece.first, piece.count, piece.panel, piece.end_panel, scratch)


# What a chunk of the PADDED way is of: lines of an image, in one group.
cdef struct Lines:
    int64_t image, group, line, end


cdef int64_t padded_blocks(const Conv *v) noexcept nogil:
    """Of one image and group."""
    return (v.oh + padded_lines(v) - 1) // padded_lines(v)


cdef int64_t padded_chunks(const Conv *v) noexcept nogil:
    return v.n * v.groups * padded_blocks(v)


cdef Lines lines_of(const Conv *v, int64_t chunk) noexcept nogil:
    cdef Lines lines
    cdef int64_t blocks = padded_blocks(v)
    lines.image = chunk // blocks // v.groups
    lines.group = chunk // blocks % v.groups
    lines.line = chunk % blocks * padded_lines(v)
    lines.end = smaller(v.oh, lines.line + padded_lines(v))
    return lines


cdef void padded_chunk(const Conv *v, const conv_product *whole_pass, const padded_image *image,
                       int64_t group_floats, int64_t chunk, char *scratch) noexcept nogil:
    cdef Lines lines = lines_of(v, chunk)
    cdef conv_product g = whole_pass[0]
    g.x += lines.group * image.c
    g.y += lines.group * g.columns
    g.packed += lines.group * group_floats
    if g.bias != NULL:
        g.bias += lines.group * g.columns
    products.gemm.conv_padded(&g, image, lines.image, lines.line, lines.end, scratch)


cdef void run_padded(const Conv *v, const Cut *cut, conv_product *g, char *workspace,
                     int threads) noexcept nogil:
    cdef padded_image image = padded(v)
    cdef char *scratch = workspace + cut.scratch_at
    cdef int64_t chunk
    cdef conv_tap *rows = <conv_tap *> scratch  # before the scratch of the first thread
    list_rows(v, rows)
    g.tap = rows
    g.taps = g.slices = v.kh
    g.depth = v.kw * image.c
    g.target.rows = g.target.height = v.oh
    g.target.columns = g.target.width = v.ow
    g.target.step_h = g.target.step_w = 1
    g.place.offset_h = g.place.offset_w = 0
    scratch += cut.taps_bytes
    for chunk in prange(padded_chunks(v), num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
        padded_chunk(v, g, &image, cut.group_floats, chunk,
                     scratch + threadid() * cut.scratch_bytes)


cdef int64_t most_vectors(const Cut *cut, int64_t parts) noexcept nogil:
    """Vectors of columns in the largest part, of whole panels."""
    cdef int64_t panels = (cut.panels + parts - 1) // parts
    return smaller(cut.vectors, panels * (products.gemm.tile_columns // LANES))


cdef Order order_chunks(const Conv *v, const Cut *cut, int64_t *starts,
                        int threads) noexcept nogil:
    cdef Order order
    cdef int64_t region, blocks, most = 0, wanted = larger(CHUNKS, threads)
    starts[0] = 0
    for region in range(cut.regions.count):
        blocks = block_count(cut, region_pixels(v, &cut.regions, region))
        most = larger(most, blocks)
        starts[region + 1] = starts[region] + blocks
    order.starts = starts if cut.regions.apart else NULL
    order.blocks = starts[cut.regions.count] if cut.regions.apart else most * cut.regions.count
    order.groups = 1 if cut.way == DEPTHWISE else v.groups
    order.parts = 1
    # borders read less than the middle of a map, but their neighbours are alike
    order.parts_outside = order.by_turns = cut.regions.apart
    if cut.way == GENERAL and threads > 1 and 0 < order.blocks * v.groups < wanted:
        order.parts = smaller(cut.panels, wanted // (order.blocks * v.groups))
        if 10 * threads * most_vectors(cut, threads) <= 11 * cut.vectors:  # an even split
            order.parts = threads
            order.parts_outside, order.by_turns = True, False
    return order


cdef void pack_weights(const Conv *v, const Cut *cut, bint backward, const float *weight,
                       float *packed, int threads) noexcept nogil:
    cdef int64_t chunk, taps = v.kh * v.kw, panels = v.groups * cut.panels
    cdef int64_t depth = v.c // v.groups, columns = v.k // v.groups
    if cut.way == DEPTHWISE:
        pack_depthwise(v, weight, packed)
    elif cut.way == INNER:
        for chunk in range(v.groups):
            products.inner.pack(weight + chunk * taps * depth * columns, taps,
                                columns if backward else depth, depth if backward else columns,
                                backward, packed + chunk * cut.group_floats)
    else:
        for chunk in prange(panels, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1 and panels > 1 and
                            v.groups * cut.group_floats > PACK_SERIAL):
            pack_panel(v, backward, weight, cut.panels, chunk, cut.group_floats, packed)


cdef int team_of(const Conv *v, int threads) noexcept nogil:
    return 1 if multiply_adds(v) < SERIAL else threads


cdef int64_t chunk_count(const Order *order) noexcept nogil:
    return order.blocks * order.groups * order.parts


cdef void run_pass(const Conv *v, bint backward, conv_product *g, const float *weight,
                   const float *packed, char *workspace, int threads) noexcept nogil:
    """packed: the weights as pack_weights writes them, or NULL to pack them here."""
    cdef Cut cut = cut_pass(v, backward, packed != NULL)
    cdef Order order
    cdef char *scratch = workspace + cut.scratch_at
    cdef int64_t chunk
    threads = team_of(v, threads)
    memset(workspace + cut.zero_at, 0, cut.zero_bytes)
    g.slices = v.kh * v.kw
    g.zero = <const float *> (workspace + cut.zero_at)
    g.packed = packed
    if packed == NULL:
        g.packed = <const float *> (workspace + cut.packed_at)
        pack_weights(v, &cut, backward, weight, <float *> (workspace + cut.packed_at), threads)
    if cut.way == PADDED:
        run_padded(v, &cut, g, workspace, threads)
        return
    if cut.way == DEPTHWISE:
        g.depth = 1
        g.columns = v.k
        g.spread = 1 if backward else v.k // v.c
        g.fold = v.k // v.c if backward else 1
    list_regions(v, &cut.regions, <Run *> workspace)
    order = order_chunks(v, &cut, <int64_t *> (workspace + cut.starts_at), threads)
    if order.by_turns:
        for chunk in prange(chunk_count(&order), num_threads=threads, schedule="static",
                            chunksize=1, use_threads_if=threads > 1):
            pass_chunk(v, &cut, g, backward, &order, chunk,
                       scratch + threadid() * cut.scratch_bytes)
        return
    for chunk in prange(chunk_count(&order), num_threads=threads, schedule="static",
                        use_threads_if=threads > 1):
        pass_chunk(v, &cut, g, backward, &order, chunk, scratch + threadid() * cut.scratch_bytes)


cdef void conv2d_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n,oh,ow,k] = sum over taps and c of x[.., c] weight[k,tap,c] + bias[k]; relu; overwritten.

    p: x[n,h,w,c], weight[k,kh,kw,c/groups], bias[k], y, workspace.  d: n, h, w, c, k, kh, kw,
    stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups, oh, ow, has_bias, relu
    (bottom and right padding follow from oh, ow).  y overlaps nothing.
    """
    run_forward(p, <const Conv *> d, <const float *> p[1], NULL, threads)


cdef void conv2d_forward_packed(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """conv2d_forward with weights that conv2d_pack packed, in their place."""
    run_forward(p, <const Conv *> d, NULL, <const float *> p[1], threads)


cdef void conv2d_pack(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """The weights as conv2d_forward_packed reads them. p: weight[k,kh,kw,c/groups], packed.

    d: as conv2d_forward.  Overwritten; nothing overlaps.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Cut cut
    if way_of(v) == LINEAR:
        pack_product(<const float *> p[0], v.c, v.k, <float *> p[1], threads)
        return
    cut = cut_pass(v, False, True)
    pack_weights(v, &cut, False, <const float *> p[0], <float *> p[1], threads)


cdef int64_t packed_bytes(const Conv *v) noexcept nogil:
    """Bytes of packed weights; 0 where a forward pass reads them as they are."""
    return (4 * packed_floats(v.c, v.k) if way_of(v) == LINEAR else
            cut_pass(v, False, True).packed_bytes)


cdef void run_matrix(char **p, const Conv *v, const float *weight, const float *packed,
                     int threads) noexcept nogil:
    cdef linear_product g
    g.depth, g.columns = v.c, v.k
    g.transposed, g.relu = 0, v.relu
    g.x, g.w, g.packed, g.y = <const float *> p[0], weight, packed, <float *> p[3]
    g.bias = <const float *> p[2] if v.has_bias else NULL
    run_product(&g, NULL, v.n * v.h * v.w, MANY, p[4], threads)


cdef void run_forward(char **p, const Conv *v, const float *weight, const float *packed,
                      int threads) noexcept nogil:
    cdef conv_product g
    if way_of(v) == LINEAR:
        run_matrix(p, v, weight, packed, threads)
        return
    g.source.channels, g.target.channels = v.c, v.k
    g.depth = v.c // v.groups
    g.columns = v.k // v.groups
    g.relu = v.relu
    g.x = <const float *> p[0]
    g.bias = <const float *> p[2] if v.has_bias else NULL
    g.y = <float *> p[3]
    run_pass(v, False, &g, weight, packed, p[4], threads)


cdef void conv2d_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx = the adjoint of conv2d_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,kh,kw,c/groups], dx[n,h,w,c], workspace.  d: as conv2d_forward.
    dx overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef int64_t sizes[3]
    if way_of(v) == LINEAR:
        sizes[0], sizes[1], sizes[2] = v.n * v.h * v.w, v.c, v.k
        linear_grad_input(p, sizes, s, threads)
        return
    run_back(v, <const float *> p[0], <const float *> p[1], NULL, <float *> p[2], p[3], threads)


cdef void conv2d_grad_input_bias(char **p, const int64_t *d, const double *s,
                                 int threads) noexcept nogil:
    """conv2d_grad_input, plus bias[c]: a transposed convolution; not for 1x1 filters without
    stride and padding, or a filter for each channel.

    p: dy[n,oh,ow,k], weight[k,kh,kw,c/groups], bias, dx[n,h,w,c], workspace.  Overwritten.
    """
    run_back(<const Conv *> d, <const float *> p[0], <const float *> p[1], <const float *> p[2],
             <float *> p[3], p[4], threads)


cdef void run_back(const Conv *v, const float *dy, const float *weight, const float *bias,
                   float *dx, char *workspace, int threads) noexcept nogil:
    cdef conv_product g
    g.source.channels, g.target.channels = v.k, v.c
    g.depth = v.k // v.groups
    g.columns = v.c // v.groups
    g.relu = 0
    g.x, g.bias, g.y = dy, bias, dx
    run_pass(v, True, &g, weight, NULL, workspace, threads)


def _forward_extents(d, threads):
    cdef Conv v = read_sizes(d)
    return forward_extents(&v, pass_workspace(&v, False, False, threads))


def packed_size(d):
    """Bytes of the packed weights of a forward pass; 0 where they are not packed."""
    cdef Conv v = read_sizes(d)
    return packed_bytes(&v)


def _packed_extents(d, threads):
    cdef Conv v = read_sizes(d)
    if packed_bytes(&v) == 0:
        raise ValueError(f"conv2d_forward_packed is not for {tuple(d)}")
    x, _, bias, y, workspace = forward_extents(&v, pass_workspace(&v, False, True, threads))
    return x, packed_bytes(&v), bias, y, workspace


def _pack_extents(d, threads):
    cdef Conv v = read_sizes(d)
    return sizes_bytes(&v)[1], packed_bytes(&v)


def _grad_input_extents(d, threads):
    cdef Conv v = read_sizes(d)
    return grad_input_extents(&v, pass_workspace(&v, True, False, threads))


def _grad_input_bias_extents(d, threads):
    cdef Conv v = read_sizes(d)
    if way_of(&v) == LINEAR or way_of(&v) == DEPTHWISE:
        raise ValueError(f"conv2d_grad_input_bias is not for {tuple(d)}")
    dy, weight, x, workspace = _grad_input_extents(d, threads)
    return dy, weight, 4 * v.c, x, workspace


cdef list padded_loads(const Conv *v):
    """Multiply-adds of each chunk of the PADDED way, with those of padding."""
    cdef Lines lines
    cdef int64_t chunk, line_macs = v.ow * (v.k // v.groups) * v.kh * v.kw * (v.c // v.groups)
    sizes = []
    for chunk in range(padded_chunks(v)):
        lines = lines_of(v, chunk)
        sizes.append((lines.end - lines.line) * line_macs)
    return sizes


cdef list piece_loads(const Conv *v, const Cut *cut, bint backward, const Order *order):
    """Multiply-adds of each chunk of the other ways, with those of padding."""
    cdef Piece piece
    cdef pixel_grid source, target
    cdef conv_tap place
    cdef int64_t chunk, first, end, step = products.gemm.tile_columns
    cdef int64_t depth = (v.k if backward else v.c) // v.groups
    cdef int64_t columns = (v.c if backward else v.k) // v.groups
    cdef bytearray tap = bytearray(cut.taps_bytes)
    taps = [place_region(v, &cut.regions, region, &source, &target, &place,
                         <conv_tap *> <char *> tap) for region in range(cut.regions.count)]
    sizes = []
    for chunk in range(chunk_count(order)):
        piece = piece_of(v, cut, order, chunk)
        first, end = piece.panel * step, smaller(columns, piece.end_panel * step)
        sizes.append(piece.count * taps[piece.region] * (
            v.k if cut.way == DEPTHWISE else depth * (end - first)))
    return sizes


def _loads(backward):
    """Multiply-adds that each thread is dealt."""
    linear_loads = LINEAR_KERNELS["linear_grad_input" if backward else "linear_forward"][2]

    def loads(d, threads):
        cdef Conv v = read_sizes(d)
        cdef int team = team_of(&v, threads)
        cdef Cut cut
        cdef Order order
        cdef bytearray workspace
        if way_of(&v) == LINEAR:
            return linear_loads((v.n * v.h * v.w, v.c, v.k), threads)
        cut = cut_pass(&v, backward, False)
        if cut.way == PADDED:
            return dealt(padded_loads(&v), threads, alone=team == 1)
        workspace = bytearray(cut.zero_at)
        list_regions(&v, &cut.regions, <Run *> <char *> workspace)
        order = order_chunks(&v, &cut, <int64_t *> (<char *> workspace + cut.starts_at), team)
        return dealt(piece_loads(&v, &cut, backward, &order), threads, alone=team == 1,
                     by_turns=order.by_turns)
    return loads


_forward_loads, _grad_input_loads = _loads(False), _loads(True)
KERNELS = {
    "conv2d_forward": (<uintptr_t> &conv2d_forward, _forward_extents, _forward_loads),
    "conv2d_forward_packed": (
        <uintptr_t> &conv2d_forward_packed, _packed_extents, _forward_loads),
    "conv2d_pack": (<uintptr_t> &conv2d_pack, _pack_extents),
    "conv2d_grad_input": (<uintptr_t> &conv2d_grad_input, _grad_input_extents, _grad_input_loads),
    "conv2d_grad_input_bias": (
        <uintptr_t> &conv2d_grad_input_bias, _grad_input_bias_extents, _grad_input_loads),
}

"""Direct convolution on channels-last images: forward and input gradient, for all arguments.

Each is tiles of outputs whose input pixels are found through pointers. Six ways, chosen
by shape: 1x1 as a linear layer; depthwise along the channels; few input channels through padded
lines (a kernel row is one tap); small maps, where many taps read only padding, position by position
without those taps; few outputs by inner products; all else with a tap per kernel element. Work is
cut by shape alone, and each output is the same sum in the same order wherever the cuts are.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv_sizes cimport (
    BY_POSITION, Conv, DEPTHWISE, INNER, LINEAR, PADDED, Way, by_lines, list_all_positions,
    list_rows, list_taps, multiply_adds, padded, padded_lines, pass_way, place_images, read_sizes,
    sizes_bytes, way_of)
from fastnn._kernels.dispatch cimport (
    block_pixels, conv_padded_scratch, conv_product, conv_scratch, conv_tap, depthwise_scratch,
    inner_floats, lane_depth, larger, lines_pixels, lines_scratch, padded_image, simd, smaller,
    whole)
from fastnn._kernels.linear cimport linear_forward, linear_grad_input, product_workspace

cdef enum:
    CHUNKS = 16
    SERIAL = 500000      # multiply-adds: below, starting threads costs more than it gives
    PACK_SERIAL = 65536  # floats of weights: the same for packing

# How a forward or input-gradient pass is cut, and where things are in its workspace.
cdef struct Cut:
    int64_t phases, blocks, pixels, panels, parts, part_panels, group_floats
    int64_t taps_at, zero_at, zero_bytes, packed_at, scratch_at, scratch_bytes


cdef Cut cut_pass(const Conv *v, bint backward, int threads) noexcept nogil:
    """backward: from dy to dx, a phase per pixel position modulo stride.

    By position, each position of the map that is written is a phase.
    """
    cdef Cut cut
    cdef Way way = pass_way(v, backward)
    cdef padded_image image = padded(v)
    cdef int64_t taps = v.kh * v.kw
    cdef int64_t depth = (v.k if backward else v.c) // v.groups
    cdef int64_t columns = (v.c if backward else v.k) // v.groups
    cdef int64_t most, pixels = v.n * v.oh * v.ow
    cut.phases = v.stride_h * v.stride_w if backward else 1
    if backward:
        pixels = (v.n * ((v.h + v.stride_h - 1) // v.stride_h) *
                  ((v.w + v.stride_w - 1) // v.stride_w))
    if way == BY_POSITION:
        cut.phases = v.h * v.w if backward else v.oh * v.ow
        pixels = v.n
    cdef int64_t reach = lane_depth(depth) if way == INNER else depth
    most = block_pixels(taps, 1) // 4 if way == DEPTHWISE else block_pixels(taps, reach)
    if way == DEPTHWISE and by_lines(v, backward):
        most = lines_pixels(v.k)
    cut.blocks = (pixels + most - 1) // most
    if cut.blocks > 4:
        cut.blocks = whole(cut.blocks, 4)
    cut.pixels = whole((pixels + cut.blocks - 1) // cut.blocks if pixels else 1,
                       simd.gemm.tile_rows)
    cut.panels = (columns + simd.gemm.tile_columns - 1) // simd.gemm.tile_columns
    cut.parts = 1
    if pixels and multiply_adds(v) >= SERIAL and way != DEPTHWISE and way != INNER:
        cut.parts = larger(1, smaller(cut.panels, CHUNKS // (cut.blocks * cut.phases * v.groups)))
    cut.part_panels = (cut.panels + cut.parts - 1) // cut.parts
    cut.group_floats = taps * depth * whole(columns, simd.lanes)
    if way == INNER:
        cut.group_floats = inner_floats(taps, depth, columns, simd.lanes)
    cut.taps_at = whole(8 * (cut.phases + 1), 64)
    cut.zero_at = cut.taps_at + whole(
        taps * (cut.phases if way == BY_POSITION else 1) * sizeof(conv_tap), 64)
    cut.zero_bytes = 4 * (v.k if way == DEPTHWISE else depth)
    cut.packed_at = cut.zero_at + whole(cut.zero_bytes, 64)
    cut.scratch_at = cut.packed_at + whole(
        4 * (taps * v.k if way == DEPTHWISE else v.groups * cut.group_floats), 64)
    if way == DEPTHWISE:
        cut.scratch_bytes = (lines_scratch(taps) if by_lines(v, backward) else
                             depthwise_scratch(taps, cut.pixels, v.k))
    elif way == PADDED:
        cut.scratch_bytes = conv_padded_scratch(&image, padded_lines(v))
    else:
        cut.scratch_bytes = conv_scratch(taps, reach, cut.pixels)
    return cut


cdef int64_t pass_workspace(const Conv *v, bint backward, int threads) noexcept nogil:
    cdef Cut cut
    if way_of(v) == LINEAR:
        return product_workspace(v.n * v.h * v.w, v.k if backward else v.c,
                                 v.c if backward else v.k, threads)
    cut = cut_pass(v, backward, threads)
    return cut.scratch_at + threads * cut.scratch_bytes


cdef void pack_panel(const Conv *v, bint backward, const float *weight, int64_t panels,
                     int64_t chunk, int64_t group_floats, float *packed) noexcept nogil:
    """One panel of weight[k,kh,kw,c/groups], as [tap][depth][columns]."""
    cdef int64_t taps = v.kh * v.kw, inputs = v.c // v.groups, outputs = v.k // v.groups, tap
    cdef int64_t group = chunk // panels, first = chunk % panels * simd.gemm.tile_columns
    cdef int64_t depth = outputs if backward else inputs
    cdef int64_t columns = smaller(simd.gemm.tile_columns,
                                   (inputs if backward else outputs) - first)
    cdef int64_t width = whole(columns, simd.lanes)
    weight += group * outputs * taps * inputs
    packed += group * group_floats + first * taps * depth
    if not backward:  # the taps of one output channel lie side by side, as the depth of one
        simd.gemm.pack_columns(weight + first * taps * depth, taps * depth, taps * depth, columns,
                               packed)
        return
    for tap in range(taps):
        simd.gemm.pack_rows(weight + tap * inputs + first, taps * inputs, depth, columns,
                            packed + tap * depth * width)


cdef void pack_depthwise(const Conv *v, const float *weight, float *packed) noexcept nogil:
    cdef int64_t taps = v.kh * v.kw, tap, k
    for tap in range(taps):
        for k in range(v.k):
            packed[tap * v.k + k] = weight[k * taps + tap]


cdef void pass_chunk(const Conv *v, const Cut *cut, const conv_product *whole_pass, bint backward,
                     int64_t chunk, char *workspace, char *scratch) noexcept nogil:
    cdef int64_t phase = chunk % cut.phases, block = chunk // cut.phases % cut.blocks
    cdef int64_t group = chunk // cut.phases // cut.blocks % v.groups, first, count
    cdef int64_t panel = chunk // cut.phases // cut.blocks // v.groups * cut.part_panels
    cdef int64_t images = v.n
    cdef const int64_t *start = <const int64_t *> workspace
    cdef conv_product g = whole_pass[0]
    if way_of(v) == BY_POSITION:
        place_images(&g.source, v.n, v.oh * v.ow if backward else v.h * v.w)
        place_images(&g.target, v.n, v.h * v.w if backward else v.oh * v.ow)
        g.place.offset_w = phase
        images = 1
    elif backward:
        g.place.offset_h = phase // v.stride_w
        g.place.offset_w = phase % v.stride_w
        if g.place.offset_h >= v.h or g.place.offset_w >= v.w:
            return
        g.source.rows = g.target.rows = (v.h - g.place.offset_h - 1) // v.stride_h + 1
        g.source.columns = g.target.columns = (v.w - g.place.offset_w - 1) // v.stride_w + 1
    first = block * cut.pixels
    count = smaller(cut.pixels, images * g.source.rows * g.source.columns - first)
    if count <= 0:
        return
    g.tap += start[phase]
    g.taps = start[phase + 1] - start[phase]
    if way_of(v) == DEPTHWISE:
        if by_lines(v, backward):
            simd.lines.conv(&g, first, count, scratch)
        else:
            simd.gemm.depthwise(&g, first, count, scratch)
        return
    g.x += group * g.depth
    g.y += group * g.columns
    g.packed += group * cut.group_floats
    if g.bias != NULL:
        g.bias += group * g.columns
    if pass_way(v, backward) == INNER:
        simd.inner.conv(&g, first, count, scratch)
        return
    simd.gemm.conv(&g, first, count, panel, smaller(cut.panels, panel + cut.part_panels), scratch)


cdef void padded_chunk(const Conv *v, const conv_product *whole_pass, const padded_image *image,
                       int64_t group_floats, int64_t chunk, char *scratch) noexcept nogil:
    cdef int64_t lines = padded_lines(v), blocks = (v.oh + lines - 1) // lines
    cdef int64_t line = chunk % blocks * lines, group = chunk // blocks % v.groups
    cdef conv_product g = whole_pass[0]
    g.x += group * image.c
    g.y += group * g.columns
    g.packed += group * group_floats
    if g.bias != NULL:
        g.bias += group * g.columns
    simd.gemm.conv_padded(&g, image, chunk // blocks // v.groups, line,
                          smaller(v.oh, line + lines), scratch)


cdef void run_pass(const Conv *v, bint backward, conv_product *g, const float *weight,
                   char *workspace, int threads) noexcept nogil:
    cdef Cut cut = cut_pass(v, backward, threads)
    cdef Way way = pass_way(v, backward)
    cdef padded_image image = padded(v)
    cdef float *packed = <float *> (workspace + cut.packed_at)
    cdef char *scratch = workspace + cut.scratch_at
    cdef bint many = threads > 1 and multiply_adds(v) >= SERIAL
    cdef int64_t chunk, chunks, lines, taps = v.kh * v.kw, panels = v.groups * cut.panels
    if way == BY_POSITION:
        list_all_positions(v, backward, cut.phases, <int64_t *> workspace,
                           <conv_tap *> (workspace + cut.taps_at))
    else:
        list_taps(v, backward, cut.phases, <int64_t *> workspace,
                  <conv_tap *> (workspace + cut.taps_at))
    memset(workspace + cut.zero_at, 0, cut.zero_bytes)
    g.tap = <const conv_tap *> (workspace + cut.taps_at)
    g.taps = g.slices = taps
    g.zero = <const float *> (workspace + cut.zero_at)
    g.packed = packed
    g.place.offset_h = g.place.offset_w = 0
    if way == DEPTHWISE:
        g.depth = 1
        g.columns = v.k
        g.spread = 1 if backward else v.k // v.c
        g.fold = v.k // v.c if backward else 1
        pack_depthwise(v, weight, packed)
    elif way == INNER:
        for chunk in range(v.groups):
            simd.inner.pack(weight + chunk * (v.k // v.groups) * taps * (v.c // v.groups), taps,
                            g.depth, g.columns, backward, packed + chunk * cut.group_floats)
    else:
        for chunk in prange(panels, num_threads=threads, schedule="static",
                            use_threads_if=many and panels > 1 and
                            v.groups * cut.group_floats > PACK_SERIAL):
            pack_panel(v, backward, weight, cut.panels, chunk, cut.group_floats, packed)
    if way == PADDED:
        list_rows(v, <conv_tap *> (workspace + cut.taps_at))
        g.taps = g.slices = v.kh
        g.depth = v.kw * image.c
        lines = padded_lines(v)
        chunks = v.n * v.groups * ((v.oh + lines - 1) // lines)
        for chunk in prange(chunks, num_threads=threads, schedule="static", use_threads_if=many):
            padded_chunk(v, g, &image, cut.group_floats, chunk,
                         scratch + threadid() * cut.scratch_bytes)
        return
    chunks = cut.phases * cut.blocks * cut.parts * (1 if way == DEPTHWISE else v.groups)
    for chunk in prange(chunks, num_threads=threads, schedule="static", use_threads_if=many):
        pass_chunk(v, &cut, g, backward, chunk, workspace,
                   scratch + threadid() * cut.scratch_bytes)


cdef void conv2d_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n,oh,ow,k] = sum over taps and c of x[.., c] weight[k,tap,c] + bias[k]; relu; overwritten.

    p: x[n,h,w,c], weight[k,kh,kw,c/groups], bias[k], y, workspace.  d: n, h, w, c, k, kh, kw,
    stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups, oh, ow, has_bias, relu
    (bottom and right padding follow from oh, ow).  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef conv_product g
    cdef int64_t sizes[5]
    if way_of(v) == LINEAR:
        sizes[0], sizes[1], sizes[2] = v.n * v.h * v.w, v.c, v.k
        sizes[3], sizes[4] = v.has_bias, v.relu
        linear_forward(p, sizes, s, threads)
        return
    g.source.rows = g.target.rows = g.target.height = v.oh
    g.source.columns = g.target.columns = g.target.width = v.ow
    g.source.height, g.source.width, g.source.channels = v.h, v.w, v.c
    g.source.step_h, g.source.step_w = v.stride_h, v.stride_w
    g.target.step_h = g.target.step_w = 1
    g.target.channels = v.k
    g.depth = v.c // v.groups
    g.columns = v.k // v.groups
    g.relu = v.relu
    g.x = <const float *> p[0]
    g.bias = <const float *> p[2] if v.has_bias else NULL
    g.y = <float *> p[3]
    run_pass(v, False, &g, <const float *> p[1], p[4], threads)


cdef void conv2d_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx = the adjoint of conv2d_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,kh,kw,c/groups], dx[n,h,w,c], workspace.  d: as conv2d_forward.
    dx overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef conv_product g
    cdef int64_t sizes[3]
    if way_of(v) == LINEAR:
        sizes[0], sizes[1], sizes[2] = v.n * v.h * v.w, v.c, v.k
        linear_grad_input(p, sizes, s, threads)
        return
    g.source.height, g.source.width, g.source.channels = v.oh, v.ow, v.k
    g.source.step_h = g.source.step_w = 1
    g.target.height, g.target.width, g.target.channels = v.h, v.w, v.c
    g.target.step_h, g.target.step_w = v.stride_h, v.stride_w
    g.depth = v.k // v.groups
    g.columns = v.c // v.groups
    g.relu = 0
    g.x = <const float *> p[0]
    g.bias = NULL
    g.y = <float *> p[2]
    run_pass(v, True, &g, <const float *> p[1], p[3], threads)


def _forward_extents(d, threads):
    cdef Conv v = read_sizes(d)
    return *sizes_bytes(&v), pass_workspace(&v, False, threads)


def _grad_input_extents(d, threads):
    cdef Conv v = read_sizes(d)
    x, weight, _, y = sizes_bytes(&v)
    return y, weight, x, pass_workspace(&v, True, threads)


KERNELS = {
    "conv2d_forward": (<uintptr_t> &conv2d_forward, _forward_extents),
    "conv2d_grad_input": (<uintptr_t> &conv2d_grad_input, _grad_input_extents),
}

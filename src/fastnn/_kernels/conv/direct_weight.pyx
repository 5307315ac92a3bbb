"""Weight gradient of a convolution, by the ways of sizes.pyx."""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv.regions cimport Regions, Run, count_regions, list_regions, place_region
from fastnn._kernels.conv.sizes cimport (
    DEPTHWISE, GENERAL, LINEAR, PADDED, Conv, by_lines, grad_weight_extents, multiply_adds, padded,
    read_sizes, way_of)
from fastnn._kernels.conv.table cimport (
    by_terms, depthwise_scratch, lines_scratch, outer_terms_scratch, simd)
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.linear cimport gradient_workspace, linear_grad_weight
from fastnn._kernels.linear.outer cimport add_sums, count_sums, outer_plan, plan_outer, run_outer
from fastnn._kernels.linear.table cimport (
    conv_tap, outer_padded_scratch, outer_product, padded_image, pixel_grid, simd as products)
from fastnn._kernels.sizes cimport larger, smaller, whole

from fastnn._kernels.chunks import dealt
from fastnn._kernels.linear.linear import KERNELS as LINEAR_KERNELS

ctypedef void (*outer_fn)(const outer_product *g, const padded_image *image, int64_t rows,
                          int64_t line, int64_t end, float *dw, char *scratch) noexcept nogil

cdef enum:
    REGION_ROWS = 64  # filters of dw that take one region after another, at least
    SERIAL = 500000   # multiply-adds: below, starting threads costs more than it gives


# How a weight gradient is cut in the ways PADDED and DEPTHWISE: sums of their own, scratch.
cdef struct Sums:
    int64_t count, lines, floats, partial_bytes, scratch_bytes


cdef Sums cut_sums(const Conv *v) noexcept nogil:
    cdef Sums sums
    cdef padded_image image = padded(v)
    cdef bint depthwise = way_of(v) == DEPTHWISE
    cdef int64_t lines, rows
    sums.floats = v.k * v.kh * v.kw * (v.c // v.groups)
    sums.count = count_sums(v.n * v.oh * v.ow, multiply_adds(v), 4 * sums.floats)
    sums.lines = v.n * v.oh
    if not depthwise:
        sums.count = smaller(sums.count, larger(1, sums.lines))
    # all sums lie in the workspace when depthwise, as they are [tap][k]; else the first is dw
    sums.partial_bytes = whole(4 * sums.floats * (sums.count - (0 if depthwise else 1)), 64)
    if depthwise:
        sums.scratch_bytes = (lines_scratch(v.kh * v.kw) if by_lines(v, False) else
                              depthwise_scratch(v.kh * v.kw, 64, v.k))
    else:
        lines = larger(1, smaller(v.oh, products.gemm.outer_pixels // v.ow))
        rows = v.k // v.groups
        sums.scratch_bytes = (outer_terms_scratch(&image, lines, rows)
                              if by_terms(&image, rows, LANES) else
                              outer_padded_scratch(&image, lines))
    return sums


cdef int64_t weight_workspace(const Conv *v, int threads) noexcept nogil:
    cdef Sums sums
    cdef outer_plan plan
    cdef Regions regions
    cdef int64_t bytes = taps_bytes(v) + whole(4 * v.c, 64)
    if way_of(v) == LINEAR:
        return gradient_workspace(v.n * v.h * v.w, v.c, v.k, False, threads)
    if way_of(v) == GENERAL:
        regions = count_regions(v, False, True)
        plan = plan_weight(v, threads)
        return bytes + runs_bytes(&regions) + plan.partial_bytes + threads * (
            plan.scratch_bytes + taps_bytes(v))
    sums = cut_sums(v)
    return bytes + sums.partial_bytes + threads * sums.scratch_bytes


cdef int64_t taps_bytes(const Conv *v) noexcept nogil:
    return whole(v.kh * v.kw * sizeof(conv_tap), 64)


cdef int64_t runs_bytes(const Regions *regions) noexcept nogil:
    return whole((regions.runs_h + regions.runs_w) * sizeof(Run), 64)


cdef outer_plan plan_weight(const Conv *v, int threads) noexcept nogil:
    return plan_outer(v.n * v.oh * v.ow, v.k // v.groups, v.kh * v.kw * (v.c // v.groups),
                      v.groups, False, threads)


cdef int64_t sum_start(const Conv *v, const Sums *sums, int64_t chunk) noexcept nogil:
    """The first line of a chunk of all images; the first pixel if DEPTHWISE."""
    return (v.n * v.oh * v.ow if way_of(v) == DEPTHWISE else sums.lines) * chunk // sums.count


cdef void sum_chunk(const Conv *v, const Sums *sums, const padded_image *image,
                    const outer_product *g, int64_t chunk, float *dw, float *partial,
                    char *scratch) noexcept nogil:
    cdef int64_t rows = v.k // v.groups, group
    cdef int64_t first = sum_start(v, sums, chunk), end = sum_start(v, sums, chunk + 1)
    cdef outer_product part
    if way_of(v) == DEPTHWISE:
        if by_lines(v, False):
            simd.lines.outer(g, first, end - first, partial + chunk * sums.floats, scratch)
        else:
            simd.depthwise.outer(g, first, end - first, partial + chunk * sums.floats, scratch)
        return
    if chunk > 0:
        dw = partial + (chunk - 1) * sums.floats
    cdef outer_fn outer = (simd.terms.outer if by_terms(image, rows, LANES) else
                           products.gemm.outer_padded)
    for group in range(v.groups):
        part = g[0]
        part.x += group * image.c
        part.dy += group * rows
        outer(&part, image, rows, first, end, dw + group * (sums.floats // v.groups), scratch)


cdef void run_sums(const Conv *v, const outer_product *g, float *dw, char *workspace,
                   int threads) noexcept nogil:
    """The weight gradient in the ways PADDED and DEPTHWISE."""
    cdef Sums sums = cut_sums(v)
    cdef padded_image image = padded(v)
    cdef float *partial = <float *> workspace
    cdef char *scratch = workspace + sums.partial_bytes
    cdef int64_t chunk, tap, k, taps = v.kh * v.kw
    for chunk in prange(sums.count, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and sums.count > 1):
        sum_chunk(v, &sums, &image, g, chunk, dw, partial,
                  scratch + threadid() * sums.scratch_bytes)
    if way_of(v) == PADDED:
        add_sums(dw, partial, sums.floats, sums.count - 1, threads)
        return
    add_sums(partial, partial + sums.floats, sums.floats, sums.count - 1, threads)
    for k in range(v.k):
        for tap in range(taps):
            dw[k * taps + tap] = partial[tap * v.k + k]


# What a chunk of regions is of: rows of a group, from images that have a sum of their own.
cdef struct Piece:
    int64_t sum, first, images, group, row, end


cdef int64_t piece_count(const Conv *v, const outer_plan *plan) noexcept nogil:
    return plan.sums * v.groups * plan.parts


cdef Piece piece_of(const Conv *v, const outer_plan *plan, int64_t chunk) noexcept nogil:
    cdef Piece piece
    cdef int64_t part = chunk % plan.parts, unit = products.gemm.tile_rows
    piece.group = chunk // plan.parts % v.groups
    piece.sum = chunk // plan.parts // v.groups
    piece.first = v.n * piece.sum // plan.sums
    piece.images = v.n * (piece.sum + 1) // plan.sums - piece.first
    piece.row = plan.tiles * part // plan.parts * unit
    piece.end = smaller(v.k // v.groups, plan.tiles * (part + 1) // plan.parts * unit)
    return piece


cdef void region_chunk(const Conv *v, const Regions *regions, const outer_product *product,
                       const outer_plan *plan, int64_t chunk, float *dw, float *partial,
                       char *scratch) noexcept nogil:
    """Filters of a group, from a range of images, one region of y after the other."""
    cdef Piece piece = piece_of(v, plan, chunk)
    cdef int64_t rows = v.k // v.groups, row = piece.row, next, region, pixels
    cdef outer_product g = product[0]
    if piece.sum > 0:
        dw = partial + (piece.sum - 1) * v.k * g.dw_stride
    dw += piece.group * rows * g.dw_stride
    g.x += piece.group * g.depth
    g.dy += piece.group * rows
    g.tap = <const conv_tap *> scratch
    while row < piece.end:
        next = smaller(piece.end, row + whole(REGION_ROWS, products.gemm.tile_rows))
        memset(dw + row * g.dw_stride, 0, 4 * (next - row) * g.dw_stride)
        for region in range(regions.count):
            g.taps = place_region(v, regions, region, &g.source, &g.target, &g.place,
                                  <conv_tap *> scratch)
            pixels = g.source.rows * g.source.columns
            products.gemm.outer(&g, piece.first * pixels, piece.images * pixels, row, next, dw,
                                scratch + taps_bytes(v))
        row = next


cdef void run_regions(const Conv *v, outer_product *g, float *dw, char *workspace,
                      int threads) noexcept nogil:
    cdef Regions regions = count_regions(v, False, True)
    cdef outer_plan plan = plan_weight(v, threads)
    cdef float *partial = <float *> (workspace + runs_bytes(&regions))
    cdef char *scratch = <char *> partial + plan.partial_bytes
    cdef int64_t chunk
    list_regions(v, &regions, <Run *> workspace)
    g.apart = g.accumulate = 1
    for chunk in prange(piece_count(v, &plan), num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and multiply_adds(v) >= SERIAL):
        region_chunk(v, &regions, g, &plan, chunk, dw, partial,
                     scratch + threadid() * (plan.scratch_bytes + taps_bytes(v)))
    add_sums(dw, partial, v.k * g.dw_stride, plan.sums - 1, threads)


cdef void conv2d_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """dw[k,kh,kw,c/groups] = sum over output pixels of dy[.., k] x[tap's pixel, c]; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw, workspace.  d: as conv2d_forward.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef outer_product g
    cdef outer_plan plan
    cdef Regions one = count_regions(v, False, False)
    cdef Run runs[2]
    cdef int64_t sizes[3]
    cdef char *workspace = p[3]
    cdef char *swapped[4]
    if way_of(v) == LINEAR:
        sizes[0], sizes[1], sizes[2] = v.n * v.h * v.w, v.c, v.k
        swapped[0], swapped[1], swapped[2], swapped[3] = p[1], p[0], p[2], p[3]
        linear_grad_weight(swapped, sizes, s, threads)
        return
    list_regions(v, &one, runs)
    g.tap = <const conv_tap *> workspace
    g.taps = place_region(v, &one, 0, &g.source, &g.target, &g.place, <conv_tap *> workspace)
    g.zero = <const float *> (workspace + taps_bytes(v))
    memset(workspace + taps_bytes(v), 0, 4 * v.c)
    workspace += taps_bytes(v) + whole(4 * v.c, 64)
    g.source.channels, g.target.channels = v.c, v.k
    g.x = <const float *> p[0]
    g.dy = <const float *> p[1]
    g.dy_stride = v.k
    g.depth = v.c // v.groups
    g.dw_stride = g.taps * g.depth
    g.accumulate = g.apart = 0
    if way_of(v) == GENERAL:
        if count_regions(v, False, True).apart:
            run_regions(v, &g, <float *> p[2], workspace, threads)
            return
        plan = plan_weight(v, threads)
        run_outer(&g, NULL, &plan, v.n * v.oh * v.ow, v.k // v.groups, v.groups, <float *> p[2],
                  workspace, threads)
        return
    g.depth = v.k if way_of(v) == DEPTHWISE else v.c
    g.spread = v.k // v.c
    run_sums(v, &g, <float *> p[2], workspace, threads)


def _extents(d, threads):
    cdef Conv v = read_sizes(d)
    return grad_weight_extents(&v, weight_workspace(&v, threads))


cdef list sum_loads(const Conv *v):
    """Multiply-adds of each chunk in the ways PADDED and DEPTHWISE, with those of padding."""
    cdef Sums sums = cut_sums(v)
    macs = sums.floats * (1 if way_of(v) == DEPTHWISE else v.ow)  # of a pixel, or of a line
    return [macs * (sum_start(v, &sums, chunk + 1) - sum_start(v, &sums, chunk))
            for chunk in range(sums.count)]


cdef list region_loads(const Conv *v, const outer_plan *plan):
    """Multiply-adds of each chunk in the way GENERAL, whose regions leave padding out."""
    cdef Regions regions = count_regions(v, False, True)
    cdef pixel_grid source, target
    cdef conv_tap place
    cdef Piece piece
    cdef bytearray runs = bytearray(runs_bytes(&regions)), tap = bytearray(taps_bytes(v))
    list_regions(v, &regions, <Run *> <char *> runs)
    image = 0  # pixels times taps
    for region in range(regions.count):
        taps = place_region(v, &regions, region, &source, &target, &place,
                            <conv_tap *> <char *> tap)
        image += taps * source.rows * source.columns
    sizes = []
    for chunk in range(piece_count(v, plan)):
        piece = piece_of(v, plan, chunk)
        sizes.append(piece.images * image * (piece.end - piece.row) * (v.c // v.groups))
    return sizes


def _loads(d, threads):
    """Multiply-adds that each thread is dealt."""
    cdef Conv v = read_sizes(d)
    cdef outer_plan plan
    if way_of(&v) == LINEAR:
        return LINEAR_KERNELS["linear_grad_weight"][2]((v.n * v.h * v.w, v.c, v.k), threads)
    if way_of(&v) == GENERAL:
        plan = plan_weight(&v, threads)
        return dealt(region_loads(&v, &plan), threads, alone=multiply_adds(&v) < SERIAL)
    return dealt(sum_loads(&v), threads)


KERNELS = {"conv2d_grad_weight": (<uintptr_t> &conv2d_grad_weight, _extents, _loads)}

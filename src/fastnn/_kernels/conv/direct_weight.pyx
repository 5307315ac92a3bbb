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
    conv_tap, outer_padded_scratch, outer_product, padded_image, simd as products)
from fastnn._kernels.sizes cimport larger, smaller, whole

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


cdef void sum_chunk(const Conv *v, const Sums *sums, const padded_image *image,
                    const outer_product *g, int64_t chunk, float *dw, float *partial,
                    char *scratch) noexcept nogil:
    cdef int64_t pixels = v.n * v.oh * v.ow, rows = v.k // v.groups, group, first, count
    cdef outer_product part
    if way_of(v) == DEPTHWISE:
        first = pixels * chunk // sums.count
        count = pixels * (chunk + 1) // sums.count - first
        if by_lines(v, False):
            simd.lines.outer(g, first, count, partial + chunk * sums.floats, scratch)
        else:
            simd.depthwise.outer(g, first, count, partial + chunk * sums.floats, scratch)
        return
    if chunk > 0:
        dw = partial + (chunk - 1) * sums.floats
    cdef outer_fn outer = (simd.terms.outer if by_terms(image, rows, LANES) else
                           products.gemm.outer_padded)
    for group in range(v.groups):
        part = g[0]
        part.x += group * image.c
        part.dy += group * rows
        outer(&part, image, rows, sums.lines * chunk // sums.count,
              sums.lines * (chunk + 1) // sums.count, dw + group * (sums.floats // v.groups),
              scratch)


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


cdef void region_chunk(const Conv *v, const Regions *regions, const outer_product *product,
                       const outer_plan *plan, int64_t chunk, float *dw, float *partial,
                       char *scratch) noexcept nogil:
    """Filters of a group, from a range of images, one region of y after the other."""
    cdef int64_t rows = v.k // v.groups, unit = products.gemm.tile_rows, next, region, pixels
    cdef int64_t part = chunk % plan.parts, group = chunk // plan.parts % v.groups
    cdef int64_t total = chunk // plan.parts // v.groups
    cdef int64_t first = v.n * total // plan.sums, images = v.n * (total + 1) // plan.sums - first
    cdef int64_t row = plan.tiles * part // plan.parts * unit
    cdef int64_t end = smaller(rows, plan.tiles * (part + 1) // plan.parts * unit)
    cdef outer_product g = product[0]
    if total > 0:
        dw = partial + (total - 1) * v.k * g.dw_stride
    dw += group * rows * g.dw_stride
    g.x += group * g.depth
    g.dy += group * rows
    g.tap = <const conv_tap *> scratch
    while row < end:
        next = smaller(end, row + whole(REGION_ROWS, unit))
        memset(dw + row * g.dw_stride, 0, 4 * (next - row) * g.dw_stride)
        for region in range(regions.count):
            g.taps = place_region(v, regions, region, &g.source, &g.target, &g.place,
                                  <conv_tap *> scratch)
            pixels = g.source.rows * g.source.columns
            products.gemm.outer(&g, first * pixels, images * pixels, row, next, dw,
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
    for chunk in prange(plan.sums * v.groups * plan.parts, num_threads=threads,
                        schedule="static",
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


KERNELS = {"conv2d_grad_weight": (<uintptr_t> &conv2d_grad_weight, _extents)}

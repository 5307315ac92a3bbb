"""Weight gradient of a convolution, by the ways of conv_sizes.pyx."""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.conv_sizes cimport (
    BY_POSITION, Conv, DEPTHWISE, GENERAL, LINEAR, PADDED, by_lines, list_position_taps, list_taps,
    multiply_adds, padded, place_images, read_sizes, sizes_bytes, way_of)
from fastnn._kernels.dispatch cimport (
    conv_tap, depthwise_scratch, larger, lines_scratch, outer_padded_scratch, outer_product,
    outer_scratch, padded_image, simd, smaller, whole)
from fastnn._kernels.linear cimport gradient_workspace, linear_grad_weight
from fastnn._kernels.outer cimport add_sums, count_sums, outer_plan, plan_outer, run_outer

cdef enum:
    POSITION_ROWS = 64  # filters of dw in one part of the work by position, at least


# How a weight gradient is cut in the ways PADDED and DEPTHWISE: sums of their own, scratch.
cdef struct Sums:
    int64_t count, lines, floats, partial_bytes, scratch_bytes


cdef Sums cut_sums(const Conv *v) noexcept nogil:
    cdef Sums sums
    cdef padded_image image = padded(v)
    cdef bint depthwise = way_of(v) == DEPTHWISE
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
        sums.scratch_bytes = outer_padded_scratch(
            &image, larger(1, smaller(v.oh, simd.gemm.outer_pixels // v.ow)))
    return sums


cdef int64_t weight_workspace(const Conv *v, int threads) noexcept nogil:
    cdef Sums sums
    cdef outer_plan plan
    cdef int64_t taps_bytes = whole(v.kh * v.kw * sizeof(conv_tap), 64) + whole(4 * v.c, 64)
    if way_of(v) == LINEAR:
        return gradient_workspace(v.n * v.h * v.w, v.c, v.k, threads)
    if way_of(v) == BY_POSITION:
        return taps_bytes + threads * position_scratch(v)
    if way_of(v) == GENERAL:
        plan = plan_outer(v.n * v.oh * v.ow, v.k // v.groups, v.kh * v.kw * (v.c // v.groups),
                          v.groups, threads)
        return taps_bytes + plan.partial_bytes + threads * plan.scratch_bytes
    sums = cut_sums(v)
    return taps_bytes + sums.partial_bytes + threads * sums.scratch_bytes


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
            simd.gemm.depthwise_outer(g, first, count, partial + chunk * sums.floats, scratch)
        return
    if chunk > 0:
        dw = partial + (chunk - 1) * sums.floats
    for group in range(v.groups):
        part = g[0]
        part.x += group * image.c
        part.dy += group * rows
        simd.gemm.outer_padded(&part, image, rows, sums.lines * chunk // sums.count,
                               sums.lines * (chunk + 1) // sums.count,
                               dw + group * (sums.floats // v.groups), scratch)


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


cdef int64_t position_rows(const Conv *v) noexcept nogil:
    return smaller(v.k, whole(POSITION_ROWS, simd.gemm.tile_rows))


cdef int64_t position_scratch(const Conv *v) noexcept nogil:
    """The taps of a position, then what an outer product needs."""
    return whole(v.kh * v.kw * sizeof(conv_tap), 64) + outer_scratch(
        simd.gemm.outer_pixels, position_rows(v), simd.gemm.tile_columns)


cdef void position_part(const Conv *v, const outer_product *whole_product, int64_t row,
                        float *dw, char *scratch) noexcept nogil:
    """Filters of dw: the positions of y one after the other, each with the taps that read x."""
    cdef outer_product g = whole_product[0]
    cdef int64_t position, end = smaller(v.k, row + position_rows(v))
    cdef conv_tap *tap = <conv_tap *> scratch
    scratch += whole(v.kh * v.kw * sizeof(conv_tap), 64)
    memset(dw + row * g.dw_stride, 0, 4 * (end - row) * g.dw_stride)
    g.tap = tap
    for position in range(v.oh * v.ow):
        g.taps = list_position_taps(v, False, position, tap)
        g.dy = whole_product.dy + position * v.k
        simd.gemm.outer(&g, 0, v.n, row, end, dw, scratch)


cdef void run_positions(const Conv *v, outer_product *g, float *dw, char *workspace,
                        int threads) noexcept nogil:
    cdef int64_t part, rows = position_rows(v)
    place_images(&g.source, v.n, v.h * v.w)
    g.dy_stride = v.oh * v.ow * v.k
    g.accumulate = 1
    for part in prange((v.k + rows - 1) // rows, num_threads=threads, schedule="static",
                       use_threads_if=threads > 1):
        position_part(v, g, part * rows, dw, workspace + threadid() * position_scratch(v))


cdef void conv2d_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """dw[k,kh,kw,c/groups] = sum over output pixels of dy[.., k] x[tap's pixel, c]; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw, workspace.  d: as conv2d_forward.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef outer_product g
    cdef outer_plan plan
    cdef int64_t sizes[3]
    cdef int64_t start[2]
    cdef int64_t taps = v.kh * v.kw, zero_at = whole(taps * sizeof(conv_tap), 64)
    cdef int64_t partial_at = zero_at + whole(4 * v.c, 64)
    cdef char *workspace = p[3]
    cdef char *swapped[4]
    if way_of(v) == LINEAR:
        sizes[0], sizes[1], sizes[2] = v.n * v.h * v.w, v.c, v.k
        swapped[0], swapped[1], swapped[2], swapped[3] = p[1], p[0], p[2], p[3]
        linear_grad_weight(swapped, sizes, s, threads)
        return
    list_taps(v, False, 1, start, <conv_tap *> workspace)
    memset(workspace + zero_at, 0, 4 * v.c)
    g.source.rows, g.source.columns = v.oh, v.ow
    g.source.height, g.source.width, g.source.channels = v.h, v.w, v.c
    g.source.step_h, g.source.step_w = v.stride_h, v.stride_w
    g.taps = taps
    g.tap = <const conv_tap *> workspace
    g.zero = <const float *> (workspace + zero_at)
    g.x = <const float *> p[0]
    g.dy = <const float *> p[1]
    g.dy_stride = v.k
    g.depth = v.c // v.groups
    g.dw_stride = taps * g.depth
    g.accumulate = 0
    if way_of(v) == BY_POSITION:
        run_positions(v, &g, <float *> p[2], workspace + partial_at, threads)
        return
    if way_of(v) == GENERAL:
        plan = plan_outer(v.n * v.oh * v.ow, v.k // v.groups, taps * g.depth, v.groups,
                          threads)
        run_outer(&g, &plan, v.n * v.oh * v.ow, v.k // v.groups, v.groups, <float *> p[2],
                  workspace + partial_at, threads)
        return
    g.depth = v.k if way_of(v) == DEPTHWISE else v.c
    g.spread = v.k // v.c
    run_sums(v, &g, <float *> p[2], workspace + partial_at, threads)


def _extents(d, threads):
    cdef Conv v = read_sizes(d)
    x, weight, _, y = sizes_bytes(&v)
    return x, y, weight, weight_workspace(&v, threads)


KERNELS = {"conv2d_grad_weight": (<uintptr_t> &conv2d_grad_weight, _extents)}

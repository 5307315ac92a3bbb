"""Fully connected layers: y = x w^T + bias and its two gradients.

A chunk of work is a block of rows times a range of panels of columns. It packs each panel of w when
it needs it, so there is never a packed copy of all of w, unless the caller brings one. Each output
is the same sum in the same order for any cut.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.linear_few cimport (
    few_columns, few_rows, few_workspace, run_few_columns, run_few_rows)
from fastnn._kernels.linear.outer cimport outer_plan, plan_matrix, run_outer
from fastnn._kernels.linear.table cimport (
    conv_tap, linear_product, linear_scratch, linear_step, outer_product, simd)
from fastnn._kernels.norm.rows cimport read_rows
from fastnn._kernels.norm.table cimport norm_rows
from fastnn._kernels.sizes cimport larger, smaller, whole

cdef enum:
    ROWS = 384           # rows of x in a block, at most: times 512 columns they stay in L2
    SERIAL = 500000      # multiply-adds: below, starting threads costs more than it gives
    PACK_SERIAL = 65536  # floats of w: the same for packing


# Blocks of rows times parts of columns; both in whole tiles, as even as those allow. A thread's
# scratch begins with a room for a block that is read through a norm.
cdef struct Cut:
    int64_t tiles, blocks, panels, parts, room_bytes, scratch_bytes


cdef int64_t busiest(int64_t tiles, int64_t blocks, int64_t panels, int64_t parts,
                     int threads) noexcept nogil:
    """Tiles times panels of a thread, in the largest chunks."""
    return (blocks * parts + threads - 1) // threads * ((tiles + blocks - 1) // blocks) * (
        (panels + parts - 1) // parts)


cdef void cut_both_ways(Cut *cut, int64_t least_blocks, int threads) noexcept nogil:
    """Blocks and parts of which the busiest thread has least; one or two chunks a thread."""
    cdef int64_t best = busiest(cut.tiles, cut.blocks, cut.panels, cut.parts, threads)
    cdef int64_t parts, blocks, rounds, load
    for parts in range(1, smaller(cut.panels, threads) + 1):
        for rounds in range(1, 3):
            blocks = (rounds * threads + parts - 1) // parts
            blocks = smaller(cut.tiles, larger(least_blocks, blocks))
            load = busiest(cut.tiles, blocks, cut.panels, parts, threads)
            if load < best:
                best, cut.blocks, cut.parts = load, blocks, parts


cdef Cut cut_product(int64_t rows, int64_t depth, int64_t columns, bint normed,
                     int threads) noexcept nogil:
    """Each thread has panels of its own, packed once; or rows, where those are more even; or some
    rows of some panels, where neither is.

    Rows are read through a norm once: each thread has its own.
    """
    cdef Cut cut
    cdef int64_t unit = simd.gemm.tile_rows, block_rows, least_blocks
    cut.tiles = (rows + unit - 1) // unit
    cut.panels = (columns + simd.gemm.tile_columns - 1) // simd.gemm.tile_columns
    cut.blocks = least_blocks = (rows + ROWS - 1) // ROWS
    cut.parts = 1
    if threads > 1 and rows * depth * columns >= SERIAL:
        if normed or (10 * whole(cut.panels, threads) * cut.tiles >
                      11 * whole(cut.tiles, threads) * cut.panels):
            cut.blocks = whole(cut.blocks, threads)
        else:
            cut.parts = smaller(cut.panels, threads)
        if not normed and 8 * threads * busiest(cut.tiles, cut.blocks, cut.panels, cut.parts,
                                                threads) > 9 * cut.tiles * cut.panels:
            cut_both_ways(&cut, least_blocks, threads)
    block_rows = smaller(rows, unit * (cut.tiles // larger(1, cut.blocks) + 1))
    cut.room_bytes = whole(4 * block_rows * depth, 64) if normed else 0
    cut.scratch_bytes = cut.room_bytes + linear_scratch(block_rows, depth, simd.gemm.tile_columns)
    return cut


cdef int64_t product_workspace(int64_t rows, int64_t depth, int64_t columns, bint normed,
                               int threads) noexcept nogil:
    """Bytes of scratch for run_product."""
    cdef int64_t bytes = threads * cut_product(rows, depth, columns, normed, threads).scratch_bytes
    if few_columns(depth, columns) or few_rows(rows, depth, columns):
        return larger(bytes, few_workspace(rows, depth, columns, normed, threads))
    return bytes


cdef void product_chunk(const linear_product *g, const norm_rows *norm, const Cut *cut,
                        int64_t chunk, int64_t rows, char *scratch) noexcept nogil:
    cdef int64_t block = chunk % cut.blocks, part = chunk // cut.blocks
    cdef int64_t row = cut.tiles * block // cut.blocks * simd.gemm.tile_rows
    cdef int64_t end = smaller(rows, cut.tiles * (block + 1) // cut.blocks * simd.gemm.tile_rows)
    cdef linear_product own = g[0]
    if row < end:
        own.x = read_rows(norm, end - row, g.depth, g.x + row * g.depth, scratch)
        own.y += row * g.columns
        simd.gemm.linear(&own, 0, end - row, cut.panels * part // cut.parts,
                         cut.panels * (part + 1) // cut.parts, scratch + cut.room_bytes)


cdef void run_product(const linear_product *g, const norm_rows *norm, int64_t rows,
                      int64_t of_whole, char *workspace, int threads) noexcept nogil:
    """norm: that x is read through, where rows are many, or NULL.

    of_whole: rows of the whole batch, by which the way is chosen.
    """
    cdef Cut cut = cut_product(rows, g.depth, g.columns, norm != NULL, threads)
    cdef int64_t chunk, chunks = cut.blocks * cut.parts
    if few_columns(g.depth, g.columns):
        run_few_columns(g, norm, rows, workspace, threads)
        return
    if not g.transposed and few_rows(of_whole, g.depth, g.columns):
        run_few_rows(g, rows, workspace, threads)
        return
    if chunks == 1 or threads == 1:  # a team of one costs time, and may not begin within another's
        for chunk in range(chunks):
            product_chunk(g, norm, &cut, chunk, rows, workspace)
        return
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and rows * g.depth * g.columns >= SERIAL):
        product_chunk(g, norm, &cut, chunk, rows, workspace + threadid() * cut.scratch_bytes)


cdef int64_t packed_floats(int64_t depth, int64_t columns) noexcept nogil:
    """Floats of a packed w[columns, depth]; 0 where run_product reads it otherwise."""
    return 0 if few_columns(depth, columns) else depth * whole(columns, LANES)


cdef void pack_product(const float *w, int64_t depth, int64_t columns, float *packed,
                       int threads) noexcept nogil:
    """w[columns, depth] as run_product reads it: by blocks of depth, each by panels."""
    cdef int64_t step = linear_step(depth), width = simd.gemm.tile_columns
    cdef int64_t panel, c, first
    for panel in prange((columns + width - 1) // width, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and depth * columns >= PACK_SERIAL):
        first = panel * width
        c = 0
        while c < depth:
            simd.gemm.pack_columns(
                w + first * depth + c, depth, smaller(step, depth - c),
                smaller(width, columns - first),
                packed + c * whole(columns, LANES) + first * smaller(step, depth - c))
            c = c + step


cdef void linear_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[m,n] = x[m,k] w[n,k]^T + bias[n], then max(0, .) if relu; overwritten.

    p: x, w, bias, y, workspace.  d: m, k, n, has_bias, relu, and m of the whole batch that this may
    be part of: y has the bits of that.  y overlaps nothing.
    """
    cdef linear_product g
    g.depth = d[1]
    g.columns = d[2]
    g.transposed = 0
    g.relu = d[4]
    g.x = <const float *> p[0]
    g.w = <const float *> p[1]
    g.bias = <const float *> p[2] if d[3] else NULL
    g.packed = NULL
    g.y = <float *> p[3]
    run_product(&g, NULL, d[0], d[5], p[4], threads)


cdef void linear_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx[m,k] = dy[m,n] w[n,k], overwritten.  p: dy, w, dx, workspace.  d: m, k, n.

    dx overlaps nothing.
    """
    cdef linear_product g
    g.depth = d[2]
    g.columns = d[1]
    g.transposed = 1
    g.relu = 0
    g.x = <const float *> p[0]
    g.w = <const float *> p[1]
    g.bias = g.packed = NULL
    g.y = <float *> p[2]
    run_product(&g, NULL, d[0], d[0], p[3], threads)


cdef bint turns(int64_t k, int64_t n) noexcept nogil:
    """Whether dw[n,k] is computed as its transpose, as vectors along k would be half empty."""
    return 2 * k <= LANES <= n


cdef int64_t gradient_workspace(int64_t m, int64_t k, int64_t n, bint normed,
                                int threads) noexcept nogil:
    """Bytes of workspace for linear_grad_weight."""
    cdef outer_plan plan = plan_matrix(m, k, n, normed, threads) if turns(k, n) else plan_matrix(
        m, n, k, normed, threads)
    return (whole(4 * n * k, 64) if turns(k, n) else 0) + (
        plan.partial_bytes + threads * plan.scratch_bytes)


cdef void outer_matrix(const float *a, int64_t rows, const float *b, const norm_rows *norm,
                       int64_t columns, int64_t m, float *y, char *workspace,
                       int threads) noexcept nogil:
    """y[rows,columns] = a[m,rows]^T b[m,columns]; norm: that b is read through, or NULL."""
    cdef outer_plan plan = plan_matrix(m, rows, columns, norm != NULL, threads)
    cdef outer_product g
    cdef conv_tap tap
    tap.offset_h = tap.offset_w = tap.slice = 0
    g.source.rows = g.source.height = g.source.step_h = g.source.step_w = 1
    g.source.columns = g.source.width = m
    g.source.channels = g.depth = columns
    g.taps = 1
    g.tap = &tap
    g.dy_stride = rows
    g.dw_stride = columns
    g.accumulate = g.apart = 0
    g.dy = a
    g.x = g.zero = b
    run_outer(&g, norm, &plan, m, rows, 1, y, workspace, threads)


cdef void linear_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """dw[n,k] = dy[m,n]^T x[m,k], overwritten.  p: dy, x, dw, workspace.  d: m, k, n.

    dw overlaps nothing.
    """
    cdef int64_t m = d[0], k = d[1], n = d[2], row, column
    cdef const float *dy = <const float *> p[0]
    cdef const float *x = <const float *> p[1]
    cdef float *dw = <float *> p[2]
    cdef float *turned = <float *> p[3]
    if not turns(k, n):
        outer_matrix(dy, n, x, NULL, k, m, dw, p[3], threads)
        return
    outer_matrix(x, k, dy, NULL, n, m, turned, p[3] + whole(4 * n * k, 64), threads)
    for row in range(n):
        for column in range(k):
            dw[row * k + column] = turned[column * n + row]


def _sizes(d):
    m, k, n = d[:3]
    if m < 0 or k < 1 or n < 1:
        raise ValueError(f"linear needs m >= 0, k >= 1 and n >= 1, not m={m}, k={k}, n={n}")
    return m, k, n


def _forward_extents(d, threads):
    m, k, n = _sizes(d)
    return (4 * m * k, 4 * n * k, 4 * n if d[3] else 0, 4 * m * n,
            product_workspace(m, k, n, False, threads))


def _grad_input_extents(d, threads):
    m, k, n = _sizes(d)
    return 4 * m * n, 4 * n * k, 4 * m * k, product_workspace(m, n, k, False, threads)


def _grad_weight_extents(d, threads):
    m, k, n = _sizes(d)
    return 4 * m * n, 4 * m * k, 4 * n * k, gradient_workspace(m, k, n, False, threads)


def _dealt(loads, threads):
    """Work of chunks that a static schedule deals, by threads."""
    share, rest = divmod(len(loads), threads)
    ends = [member * share + min(member, rest) for member in range(threads + 1)]
    return [sum(loads[first:end]) for first, end in zip(ends, ends[1:])]


def _ranges(tiles, count, unit, size):
    """Sizes of so many even cuts of whole tiles."""
    ends = [min(size, tiles * i // count * unit) for i in range(count + 1)]
    return [end - first for first, end in zip(ends, ends[1:])]


def _product_loads(rows, depth, columns, threads):
    """Multiply-adds of each thread in run_product."""
    cdef Cut cut = cut_product(rows, depth, columns, False, threads)
    if few_columns(depth, columns) or few_rows(rows, depth, columns):
        return [1] * threads  # by rows or columns, one at a time
    blocks = _ranges(cut.tiles, cut.blocks, simd.gemm.tile_rows, rows)
    parts = _ranges(cut.panels, cut.parts, simd.gemm.tile_columns, columns)
    return _dealt([block * part * depth for part in parts for block in blocks], threads)


def _forward_loads(d, threads):
    return _product_loads(*_sizes(d), threads)


def _grad_input_loads(d, threads):
    m, k, n = _sizes(d)
    return _product_loads(m, n, k, threads)


def _grad_weight_loads(d, threads):
    m, k, n = _sizes(d)
    rows, columns = (k, n) if turns(k, n) else (n, k)
    cdef outer_plan plan = plan_matrix(m, rows, columns, False, threads)
    parts = _ranges(plan.tiles, plan.parts, simd.gemm.tile_rows, rows)
    across = _ranges(plan.panels, plan.across, simd.gemm.tile_columns, columns)
    return _dealt([m // plan.sums * part * width for _ in range(plan.sums) for width in across
                   for part in parts], threads)


KERNELS = {
    "linear_forward": (<uintptr_t> &linear_forward, _forward_extents, _forward_loads),
    "linear_grad_input": (<uintptr_t> &linear_grad_input, _grad_input_extents, _grad_input_loads),
    "linear_grad_weight": (
        <uintptr_t> &linear_grad_weight, _grad_weight_extents, _grad_weight_loads),
}

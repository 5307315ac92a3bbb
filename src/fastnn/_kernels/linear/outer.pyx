"""Weight gradients over threads: cuts of the sums over pixels, and addition of the parts."""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport outer_scratch, simd
from fastnn._kernels.norm.rows cimport read_rows
from fastnn._kernels.norm.table cimport norm_rows
from fastnn._kernels.sizes cimport larger, smaller, whole

cdef enum:
    RANGES = 16              # enough for the cores of a small server, and even for 2
    PART_ROWS = 512          # of dw in one part, at most: their tiles of dy stay in L2
    SERIAL = 500000          # multiply-adds: below, starting threads costs more than it gives
    PARTIAL_BYTES = 8 << 20  # at most so much memory for sums beside dw
    CHUNK = 2048


cdef int64_t count_sums(int64_t pixels, int64_t macs, int64_t bytes) noexcept nogil:
    """The number of ranges of pixels with a sum of their own; depends only on the shape."""
    if macs < SERIAL:
        return 1
    cdef int64_t count = RANGES  # halved, as a power of two is even for 2 and 4 threads
    while count > 1 and (count * 512 > pixels or (count - 1) * bytes > PARTIAL_BYTES):
        count //= 2
    return count


cdef bint is_uneven(int64_t chunks, int threads) noexcept nogil:
    """Whether some thread has over an eighth more chunks than the mean."""
    return 8 * whole(chunks, threads) > 9 * chunks


cdef outer_plan plan_outer(int64_t pixels, int64_t rows, int64_t row_floats, int64_t groups,
                           bint normed, int threads) noexcept nogil:
    """Cuts of rows change no sum. Each part packs the pixels anew, so parts are few.

    normed: whether the pixels, of one tap and group, are read through a norm.
    """
    cdef outer_plan plan
    cdef int64_t floats = groups * rows * row_floats
    plan.panels = plan.across = 1
    plan.sums = count_sums(pixels, pixels * floats, 4 * floats)
    plan.tiles = (rows + simd.gemm.tile_rows - 1) // simd.gemm.tile_rows
    plan.parts = (rows + PART_ROWS - 1) // PART_ROWS
    if pixels * floats >= SERIAL:
        while plan.parts < plan.tiles and is_uneven(plan.sums * groups * plan.parts, threads):
            plan.parts += 1
    plan.partial_bytes = whole(4 * floats * (plan.sums - 1), 64)
    plan.room_bytes = whole(4 * simd.gemm.outer_pixels * row_floats, 64) if normed else 0
    set_scratch(&plan, rows)
    return plan


cdef void set_scratch(outer_plan *plan, int64_t rows) noexcept nogil:
    cdef int64_t most = simd.gemm.tile_rows * (plan.tiles // plan.parts + 1)
    plan.scratch_bytes = plan.room_bytes + outer_scratch(
        simd.gemm.outer_pixels, smaller(rows, most), simd.gemm.tile_columns)


cdef int64_t busiest(const outer_plan *plan, int64_t parts, int64_t across,
                     int threads) noexcept nogil:
    """Tiles times panels of a thread, in the largest chunks."""
    return (plan.sums * parts * across + threads - 1) // threads * (
        (plan.tiles + parts - 1) // parts) * ((plan.panels + across - 1) // across)


cdef outer_plan plan_matrix(int64_t pixels, int64_t rows, int64_t columns, bint normed,
                            int threads) noexcept nogil:
    """A matrix, which can also be cut by columns, where cuts of rows alone are uneven.

    One chunk a thread, as each packs its rows anew for each cut of columns.
    """
    cdef outer_plan plan = plan_outer(pixels, rows, columns, 1, normed, threads)
    cdef int64_t least, across, parts, load, best
    if normed or pixels * rows * columns < SERIAL:
        return plan
    plan.panels = (columns + simd.gemm.tile_columns - 1) // simd.gemm.tile_columns
    best = busiest(&plan, plan.parts, 1, threads)
    if 8 * threads * best <= 9 * plan.sums * plan.tiles * plan.panels:
        return plan
    least = (rows + PART_ROWS - 1) // PART_ROWS
    for across in range(2, smaller(plan.panels, threads) + 1):
        parts = (threads + plan.sums * across - 1) // (plan.sums * across)
        parts = smaller(plan.tiles, larger(least, parts))
        load = busiest(&plan, parts, across, threads)
        if load < best:
            best, plan.parts, plan.across = load, parts, across
    set_scratch(&plan, rows)
    return plan


cdef void normed_outer(const outer_product *g, const norm_rows *norm, int64_t first, int64_t count,
                       int64_t row, int64_t end, float *dw, char *room,
                       char *scratch) noexcept nogil:
    """simd.gemm.outer, block by block, each read through the norm."""
    cdef outer_product part = g[0]
    cdef int64_t most = simd.gemm.outer_pixels, block, pixel
    for block in range(larger(1, (count + most - 1) // most)):
        pixel = first + block * most
        part.x = read_rows(norm, smaller(most, first + count - pixel), g.depth,
                           g.x + pixel * g.depth, room)
        part.dy = g.dy + pixel * g.dy_stride
        part.accumulate = block > 0
        simd.gemm.outer(&part, 0, smaller(most, first + count - pixel), row, end, dw, scratch)


cdef void outer_chunk(const outer_product *g, const norm_rows *norm, const outer_plan *plan,
                      int64_t chunk, int64_t pixels, int64_t rows, int64_t groups, float *dw,
                      float *partial, char *scratch) noexcept nogil:
    cdef int64_t part = chunk % plan.parts, across = chunk // plan.parts % plan.across
    cdef int64_t group = chunk // plan.parts // plan.across % groups
    cdef int64_t total = chunk // plan.parts // plan.across // groups
    cdef int64_t row_floats = g.taps * g.depth, column
    cdef int64_t first = pixels * total // plan.sums
    cdef int64_t count = pixels * (total + 1) // plan.sums - first
    cdef int64_t unit = simd.gemm.tile_rows, row = plan.tiles * part // plan.parts * unit
    cdef int64_t end = smaller(rows, plan.tiles * (part + 1) // plan.parts * unit)
    cdef outer_product local = g[0]
    if total > 0:
        dw = partial + (total - 1) * groups * rows * row_floats
    local.x = g.x + group * g.depth
    local.dy = g.dy + group * rows
    dw += group * rows * row_floats
    if plan.across > 1:
        column = plan.panels * across // plan.across * simd.gemm.tile_columns
        local.depth = smaller(
            g.depth, plan.panels * (across + 1) // plan.across * simd.gemm.tile_columns) - column
        local.x += column
        dw += column
    if norm == NULL:
        simd.gemm.outer(&local, first, count, row, end, dw, scratch)
    else:
        normed_outer(&local, norm, first, count, row, end, dw, scratch, scratch + plan.room_bytes)


cdef void run_outer(const outer_product *g, const norm_rows *norm, const outer_plan *plan,
                    int64_t pixels, int64_t rows, int64_t groups, float *dw, char *workspace,
                    int threads) noexcept nogil:
    """dw[groups * rows][taps][depth] from all pixels; g describes the first group.

    norm: that a matrix x is read through (one tap, one group), or NULL.
    """
    cdef int64_t chunk, chunks = plan.sums * groups * plan.across * plan.parts
    cdef int64_t floats = groups * rows * g.taps * g.depth
    if chunks == 1 or threads == 1:  # a team of one costs time, and may not begin within another's
        for chunk in range(chunks):
            outer_chunk(g, norm, plan, chunk, pixels, rows, groups, dw, <float *> workspace,
                        workspace + plan.partial_bytes)
        add_sums(dw, <float *> workspace, floats, plan.sums - 1, threads)
        return
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and pixels * floats >= SERIAL):
        outer_chunk(g, norm, plan, chunk, pixels, rows, groups, dw, <float *> workspace,
                    workspace + plan.partial_bytes + threadid() * plan.scratch_bytes)
    add_sums(dw, <float *> workspace, floats, plan.sums - 1, threads)


cdef void add_values(float *to, const float *values, int64_t count) noexcept nogil:
    """to[count] += values[count]."""
    cdef int64_t i
    for i in range(count):
        to[i] += values[i]


cdef void add_chunk(float *dw, const float *sums, int64_t floats, int64_t count, int64_t first,
                    int64_t end) noexcept nogil:
    cdef int64_t total
    for total in range(count):
        add_values(dw + first, sums + total * floats + first, end - first)


cdef void add_sums(float *dw, const float *sums, int64_t floats, int64_t count,
                   int threads) noexcept nogil:
    """dw[floats] += each of sums[count][floats], in order."""
    cdef int64_t chunk, chunks = (floats + CHUNK - 1) // CHUNK
    if count < 1:
        return
    if threads == 1:
        for chunk in range(chunks):
            add_chunk(dw, sums, floats, count, chunk * CHUNK, smaller(floats, (chunk + 1) * CHUNK))
        return
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and floats * count > 40000):
        add_chunk(dw, sums, floats, count, chunk * CHUNK, smaller(floats, (chunk + 1) * CHUNK))

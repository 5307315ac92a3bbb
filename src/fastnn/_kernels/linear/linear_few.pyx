"""Matrix products with few columns or few rows, as inner products along the depth.

The few are packed. The many are read once, in place, and never transposed or copied.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport (
    block_pixels, conv_product, conv_scratch, conv_tap, inner_floats, is_inner, lane_depth,
    linear_product, simd)
from fastnn._kernels.norm.rows cimport read_rows
from fastnn._kernels.norm.table cimport norm_rows
from fastnn._kernels.sizes cimport smaller, whole

cdef enum:
    FEW_ROWS = 32    # at most, and a depth of so many for each: else the sums over lanes cost more
    UNIT = 24        # of the many, in one part of the work: whole tiles
    SERIAL = 500000  # multiply-adds: below, starting threads costs more than it gives


# `many` inner products with each of `few`: units of the many in blocks, and the bytes of a thread:
# room for the many that are read through a norm, for outputs to be turned, and scratch.
cdef struct Cut:
    int64_t many, few, units, blocks, pixels, packed_bytes, room_bytes, turned_bytes, scratch_bytes


cdef bint few_columns(int64_t depth, int64_t columns) noexcept nogil:
    """Whether run_few_columns is for a product."""
    return is_inner(1, depth, columns, LANES)


cdef bint few_rows(int64_t rows, int64_t depth, int64_t columns) noexcept nogil:
    """Whether run_few_rows is for a product, y = x w^T."""
    return (rows <= FEW_ROWS and 2 * rows < columns and depth >= FEW_ROWS * rows and
            depth >= 8 * LANES)


cdef Cut cut_few(int64_t many, int64_t few, int64_t depth, bint normed,
                 bint turned) noexcept nogil:
    cdef Cut cut
    cdef int64_t most = block_pixels(1, lane_depth(depth))
    cut.many, cut.few = many, few
    cut.units = (many + UNIT - 1) // UNIT
    cut.blocks = smaller(cut.units, whole((many + most - 1) // most, 4))
    cut.pixels = UNIT * (cut.units // cut.blocks + 1) if cut.blocks else 0
    cut.packed_bytes = whole(4 * inner_floats(1, depth, few, LANES), 64)
    cut.turned_bytes = whole(4 * cut.pixels * few, 64) if turned else 0
    cut.room_bytes = whole(4 * cut.pixels * depth, 64) if normed else 0
    cut.scratch_bytes = cut.room_bytes + cut.turned_bytes + conv_scratch(
        1, lane_depth(depth), cut.pixels)
    return cut


cdef int64_t few_workspace(int64_t rows, int64_t depth, int64_t columns, bint normed,
                           int threads) noexcept nogil:
    """Bytes of workspace for run_few_columns, or for run_few_rows if columns are not few."""
    cdef bint turned = not few_columns(depth, columns)
    cdef Cut cut = (cut_few(columns, rows, depth, False, True) if turned else
                    cut_few(rows, columns, depth, normed, False))
    return cut.packed_bytes + threads * cut.scratch_bytes


cdef void turn_block(const linear_product *g, const float *turned, int64_t first, int64_t count,
                     int64_t rows) noexcept nogil:
    """y[rows][first + i] = turned[i][rows] + bias; relu."""
    cdef int64_t row, i
    cdef float value
    for row in range(rows):
        for i in range(count):
            value = turned[i * rows + row]
            if g.bias != NULL:
                value += g.bias[first + i]
            if g.relu and value < 0:
                value = 0
            g.y[row * g.columns + first + i] = value


cdef void few_chunk(const linear_product *g, const norm_rows *norm, const conv_product *inner,
                    const Cut *cut, int64_t chunk, char *scratch) noexcept nogil:
    cdef int64_t first = cut.units * chunk // cut.blocks * UNIT
    cdef int64_t count = smaller(cut.many, cut.units * (chunk + 1) // cut.blocks * UNIT) - first
    cdef conv_product block = inner[0]
    block.x = read_rows(norm, count, g.depth, inner.x + first * g.depth, scratch)
    scratch += cut.room_bytes
    if cut.turned_bytes == 0:
        block.y += first * cut.few
        simd.inner.conv(&block, 0, count, scratch)
        return
    block.y = <float *> scratch
    simd.inner.conv(&block, 0, count, scratch + cut.turned_bytes)
    turn_block(g, block.y, first, count, cut.few)


cdef void run_few(const linear_product *g, const norm_rows *norm, const Cut *cut,
                  const float *many, const float *few, char *workspace,
                  int threads) noexcept nogil:
    cdef conv_product inner
    cdef conv_tap tap
    cdef int64_t chunk
    tap.offset_h = tap.offset_w = tap.slice = 0
    inner.source.rows = inner.source.height = inner.source.step_h = inner.source.step_w = 1
    inner.source.columns = inner.source.width = cut.many
    inner.source.channels = inner.depth = g.depth
    inner.target = inner.source
    inner.target.channels = inner.columns = cut.few
    inner.place, inner.tap = tap, &tap
    inner.taps = inner.slices = 1
    inner.x = inner.zero = many
    inner.packed = <const float *> workspace
    inner.bias, inner.relu = g.bias, g.relu
    if cut.turned_bytes > 0:  # turn_block adds the bias and does the ReLU
        inner.bias, inner.relu = NULL, 0
    inner.y = g.y
    simd.inner.pack(few, 1, g.depth, cut.few, g.transposed, <float *> workspace)
    workspace += cut.packed_bytes
    if cut.blocks == 1 or threads == 1:
        for chunk in range(cut.blocks):
            few_chunk(g, norm, &inner, cut, chunk, workspace)
        return
    for chunk in prange(cut.blocks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and cut.many * cut.few * g.depth >= SERIAL):
        few_chunk(g, norm, &inner, cut, chunk, workspace + threadid() * cut.scratch_bytes)


cdef void run_few_columns(const linear_product *g, const norm_rows *norm, int64_t rows,
                          char *workspace, int threads) noexcept nogil:
    """y[rows][columns], each an inner product of a row of x and a column."""
    cdef Cut cut = cut_few(rows, g.columns, g.depth, norm != NULL, False)
    run_few(g, norm, &cut, g.x, g.w, workspace, threads)


cdef void run_few_rows(const linear_product *g, int64_t rows, char *workspace,
                       int threads) noexcept nogil:
    """The same with rows and columns exchanged; each column is a row of w (not g.transposed)."""
    cdef Cut cut = cut_few(g.columns, rows, g.depth, False, True)
    run_few(g, NULL, &cut, g.w, g.x, workspace, threads)

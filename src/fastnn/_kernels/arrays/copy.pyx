"""Strided copies: layouts, slices, concatenation, padding and expansion are all one kernel."""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.chunks cimport run_chunks
from fastnn._kernels.walk cimport (
    MOST_SIZES, SERIAL_WALK, Block, Walk, block_of, blocks_of, chunk_sizes, cut, rows_along,
    simplify)

from fastnn._kernels.chunks import run_loads
from fastnn._kernels.strided import shape_and_strides, span

cdef enum:
    CHUNK = 16384


cdef void copy(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[i, j, ..] = x[i, j, ..].  p: x, y.
    d: ndim, x_offset, y_offset, shape[ndim], x_strides[ndim], y_strides[ndim].

    Offsets and strides in elements; x strides may be 0 or negative; y's elements are distinct.
    y overwritten where it is touched; y and x do not overlap.
    """
    cdef Walk walk
    cdef char *buffers[2]
    cdef int64_t chunks = _plan(&walk, d)
    buffers[0] = p[0] + 4 * d[1]
    buffers[1] = p[1] + 4 * d[2]
    run_chunks(_copy_chunk, buffers, <const int64_t *> &walk, s, chunks, SERIAL_WALK, threads)


cdef int64_t _plan(Walk *walk, const int64_t *d) noexcept nogil:
    """Into how many chunks a copy is cut."""
    _order(walk, d)
    return cut(walk, CHUNK, 16 if walk.tag else 1)


cdef void _order(Walk *walk, const int64_t *d) noexcept nogil:
    """Order the dimensions as y lies in memory; tag 1: a transpose, x's unit stride in the rows."""
    cdef int64_t shape[8]
    cdef int64_t x[8]
    cdef int64_t y[8]
    cdef int64_t i, k, ndim = d[0]
    for i in range(ndim):
        k = i
        while k > 0 and y[k - 1] < d[3 + 2 * ndim + i]:
            shape[k] = shape[k - 1]
            x[k] = x[k - 1]
            y[k] = y[k - 1]
            k -= 1
        shape[k] = d[3 + i]
        x[k] = d[3 + ndim + i]
        y[k] = d[3 + 2 * ndim + i]
    simplify(walk, ndim, shape, x, y)
    walk.tag = 0
    if walk.b[walk.ndim - 1] == 1 and walk.a[walk.ndim - 1] > 1:
        for i in range(walk.ndim - 1):
            if walk.a[i] == 1:
                rows_along(walk, i)
                walk.tag = 1
                return


cdef void _copy_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Walk *walk = <const Walk *> d
    cdef Block block
    cdef int64_t i
    cdef const float *x
    cdef float *y
    for i in range(blocks_of(walk, chunk)):
        block = block_of(walk, chunk, i)
        x = <const float *> p[0] + block.a
        y = <float *> p[1] + block.b
        if walk.tag == 1:
            simd.transpose(block.rows, block.columns, x, block.a_step, y, block.b_row)
        else:
            simd.copy_plane(block.rows, block.columns, x, block.a_row, block.a_step,
                            y, block.b_row, block.b_step)


def _copy_extents(d, threads):
    ndim, x_offset, y_offset, *rest = d
    shape, x, y = shape_and_strides("copy", ndim, rest)
    return 4 * span(shape, x, x_offset), 4 * span(shape, y, y_offset)


def _loads(d, threads):
    """Elements that each thread is dealt."""
    cdef int64_t sizes[MOST_SIZES]
    cdef Walk walk
    for i, size in enumerate(d):
        sizes[i] = size
    return run_loads(chunk_sizes(&walk, _plan(&walk, sizes)), SERIAL_WALK, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {"copy": (<uintptr_t> &copy, _copy_extents, _loads)}

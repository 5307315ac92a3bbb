"""Pointwise kernels: each row of simd/pointwise.h, split over threads in chunks of fixed size.

Work is cut by CHUNK elements, whatever the thread count, so results have the same bits.
"""

from math import prod

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy

from fastnn._kernels.chunks cimport chunk_size, run_flat
from fastnn._kernels.pointwise.table cimport simd
from fastnn._kernels.walk cimport (
    SERIAL_WALK, Block, Walk, block_of, blocks_of, broadcast_sizes, run_broadcast)

from fastnn._kernels.chunks import flat_loads, run_loads
from fastnn._kernels.strided import shape_and_strides, span

cdef enum:
    CHUNK = 4096      # few, so that many threads have about as many
    SERIAL = 8        # chunks that are not worth a team of threads: of functions,
    SERIAL_SUM = 16   # of sums,
    SERIAL_FILL = 32
    BLOCK = 16384     # about the elements of a chunk of two tensors that are broadcast


cdef void unary_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = f(x[n]).  p: x, y.  d: n, row.  s: the row's arguments.  x may be y."""
    run_flat(_forward_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _forward_chunk(char **p, const int64_t *d, const double *s,
                         int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK
    simd.unary[d[1]].forward(chunk_size(d[0], CHUNK, chunk), <const float *> p[0] + at,
                             <float *> p[1] + at, s)


cdef void unary_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx[n] = dy[n] * f'(saved[n]), overwritten.  p: saved, dy, dx.  d: n, row.

    s: the row's arguments.  dx may be dy or saved.
    """
    run_flat(_backward_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _backward_chunk(char **p, const int64_t *d, const double *s,
                          int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK
    simd.unary[d[1]].backward(chunk_size(d[0], CHUNK, chunk), <const float *> p[0] + at,
                              <const float *> p[1] + at, <float *> p[2] + at, s)


cdef void binary(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = f(a, b), broadcast.  p: a, b, y.  d: row, ndim, shape, a_strides, b_strides [ndim each].

    Strides in elements, 0 repeats; y is contiguous. y may be a or b where that one is contiguous.
    """
    run_broadcast(_binary_chunk, p, d, s, BLOCK, threads)


cdef void _binary_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Walk *walk = <const Walk *> d
    cdef Block block
    cdef int64_t i
    for i in range(blocks_of(walk, chunk)):
        block = block_of(walk, chunk, i)
        _binary_block(walk.tag, &block, <const float *> p[0] + block.a,
                      <const float *> p[1] + block.b, <float *> p[2] + block.index)


cdef void _binary_block(int64_t row, const Block *block, const float *a, const float *b,
                        float *y) noexcept nogil:
    """Rows of a block; many short rows of a with one row of b are taken together."""
    cdef float tiled[256]
    cdef int64_t i, n = block.columns, together = max(256 // n, 1), rows = 0
    if (n < 64 and block.rows > 2 * together and block.a_row == n and block.a_step == 1
            and block.b_row == 0 and block.b_step == 1):
        for i in range(together):
            memcpy(tiled + i * n, b, 4 * n)
        rows = block.rows // together * together
        simd.binary[row].function(rows // together, n * together, a, n * together, 1,
                                  tiled, 0, 1, y)
    simd.binary[row].function(block.rows - rows, n, a + rows * block.a_row, block.a_row,
                              block.a_step, b + rows * block.b_row, block.b_row, block.b_step,
                              y + rows * n)


cdef void add_n(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = ((x1 + x2) + x3) + ...  p: x1 .. xk, y.  d: n, k.  y may be any of the x."""
    run_flat(_add_chunk, p, d, s, d[0], CHUNK, SERIAL_SUM, threads)


cdef void _add_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    # Three and more in blocks on the stack: y is written only after every x was read there.
    cdef float block[1024]
    cdef int64_t k = d[1], i, count, at = chunk * CHUNK
    cdef int64_t end = at + chunk_size(d[0], CHUNK, chunk)
    if k == 2:
        simd.add(end - at, <const float *> p[0] + at, <const float *> p[1] + at,
                 <float *> p[2] + at)
        return
    while at < end:
        count = min(1024, end - at)
        memcpy(block, <const float *> p[0] + at, 4 * count)
        for i in range(1, k):
            simd.add(count, block, <const float *> p[i] + at, block)
        memcpy(<float *> p[k] + at, block, 4 * count)
        at += count


cdef void add_n_unary_backward(char **p, const int64_t *d, const double *s,
                               int threads) noexcept nogil:
    """dx[n] = ((x1 + x2) + ...) * f'(saved[n]), overwritten.  p: saved, x1 .. xk, dx.

    d: n, k, row.  s: the row's arguments.  k is 2 or more.  dx may be saved or any of the x.
    """
    run_flat(_sum_backward_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _sum_backward_chunk(char **p, const int64_t *d, const double *s,
                              int64_t chunk) noexcept nogil:
    cdef float total[1024]
    cdef int64_t k = d[1], i, count, at = chunk * CHUNK
    cdef int64_t end = at + chunk_size(d[0], CHUNK, chunk)
    while at < end:
        count = min(1024, end - at)
        simd.add(count, <const float *> p[1] + at, <const float *> p[2] + at, total)
        for i in range(3, k + 1):
            simd.add(count, total, <const float *> p[i] + at, total)
        simd.unary[d[2]].backward(count, <const float *> p[0] + at, total,
                                  <float *> p[k + 1] + at, s)
        at += count


cdef void fill(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n] = value.  p: y.  d: n.  s: value."""
    run_flat(_fill_chunk, p, d, s, d[0], CHUNK, SERIAL_FILL, threads)


cdef void _fill_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    simd.fill(chunk_size(d[0], CHUNK, chunk), <float> s[0], <float *> p[0] + chunk * CHUNK)


def unary_rows():
    """The table: (name, formula, arguments, what the gradient reads), one row per function."""
    return [(simd.unary[i].name.decode(), simd.unary[i].formula.decode(),
             simd.unary[i].arguments.decode(), chr(simd.unary[i].saved))
            for i in range(simd.unary_count)]


def binary_rows():
    """The table of functions of two tensors: (name, formula)."""
    return [(simd.binary[i].name.decode(), simd.binary[i].formula.decode())
            for i in range(simd.binary_count)]


def _check_row(row, count):
    if not 0 <= row < count:
        raise ValueError(f"row {row} is not in the table of {count} functions")


def _unary_extents(count):
    def extents(d, threads):
        _check_row(d[1], simd.unary_count)
        return (4 * d[0],) * count
    return extents


def _binary_extents(d, threads):
    row, ndim, *rest = d
    _check_row(row, simd.binary_count)
    shape, a, b = shape_and_strides("binary", ndim, rest)
    return 4 * span(shape, a, 0), 4 * span(shape, b, 0), 4 * prod(shape)


def _add_extents(d, threads):
    n, k = d
    if k < 1:
        raise ValueError(f"add_n takes at least one tensor, not {k}")
    return (4 * n,) * (k + 1)


def _sum_backward_extents(d, threads):
    n, k, row = d
    _check_row(row, simd.unary_count)
    if k < 2:
        raise ValueError(f"add_n_unary_backward takes at least two tensors, not {k}")
    return (4 * n,) * (k + 2)


def _loads(serial_chunks):
    """Elements that each thread is dealt."""
    return lambda d, threads: flat_loads(d[0], CHUNK, serial_chunks, threads)


def _binary_loads(d, threads):
    """Elements that each thread is dealt."""
    return run_loads(broadcast_sizes(d, BLOCK), SERIAL_WALK, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "unary_forward": (<uintptr_t> &unary_forward, _unary_extents(2), _loads(SERIAL)),
    "unary_backward": (<uintptr_t> &unary_backward, _unary_extents(3), _loads(SERIAL)),
    "binary": (<uintptr_t> &binary, _binary_extents, _binary_loads),
    "add_n": (<uintptr_t> &add_n, _add_extents, _loads(SERIAL_SUM)),
    "add_n_unary_backward": (
        <uintptr_t> &add_n_unary_backward, _sum_backward_extents, _loads(SERIAL)),
    "fill": (<uintptr_t> &fill, lambda d, threads: (4 * d[0],), _loads(SERIAL_FILL)),
}

"""Places from indices: one number for a place along several axes, negative ones from the end."""

from math import prod

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.walk cimport (
    SERIAL_WALK, Block, Walk, block_of, blocks_of, broadcast_sizes, run_broadcast)

from fastnn._kernels.chunks import run_loads
from fastnn._kernels.strided import shape_and_strides, span

cdef enum:
    CHUNK = 16384


cdef void places(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = (a, or a + size where a < 0) * stride + b, broadcast; -1 where a is outside or b < 0.

    p: a, b, y (int64; y contiguous, overwritten).  d: 0, ndim, shape, a_strides, b_strides
    [ndim each], in elements.  s: size, stride; a is from -size to size - 1.
    """
    run_broadcast(_places_chunk, p, d, s, CHUNK, threads)


cdef void _places_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Walk *walk = <const Walk *> d
    cdef Block block
    cdef int64_t number, row, i, left, right, size = <int64_t> s[0], stride = <int64_t> s[1]
    cdef const int64_t *a
    cdef const int64_t *b
    cdef int64_t *y
    for number in range(blocks_of(walk, chunk)):
        block = block_of(walk, chunk, number)
        y = <int64_t *> p[2] + block.index
        for row in range(block.rows):
            a = <const int64_t *> p[0] + block.a + row * block.a_row
            b = <const int64_t *> p[1] + block.b + row * block.b_row
            for i in range(block.columns):
                left, right = a[i * block.a_step], b[i * block.b_step]
                if left < -size or left >= size or right < 0:
                    y[i] = -1
                else:
                    y[i] = (left + size if left < 0 else left) * stride + right
            y += block.columns


def _extents(d, threads):
    shape, a, b = shape_and_strides("places", d[1], d[2:])
    return 8 * span(shape, a, 0), 8 * span(shape, b, 0), 8 * prod(shape)


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return run_loads(broadcast_sizes(d, CHUNK), SERIAL_WALK, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {"places": (<uintptr_t> &places, _extents, _loads)}

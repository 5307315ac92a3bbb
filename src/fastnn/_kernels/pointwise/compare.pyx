"""Kernels of integers: comparisons that give masks of 0 and 1, and float32 of them.

Work is cut by CHUNK elements, whatever the thread count.
"""

from math import prod

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, run_flat
from fastnn._kernels.walk cimport (
    SERIAL_WALK, Block, Walk, block_of, blocks_of, broadcast_sizes, run_broadcast)

from fastnn._kernels.chunks import flat_loads, run_loads
from fastnn._kernels.strided import shape_and_strides, span

cdef enum:
    CHUNK = 16384
    SERIAL = 4  # chunks that are not worth a team of threads
    EQUAL = 0
    UNEQUAL = 1
    ABOVE = 2

RELATIONS = ("eq", "ne", "gt", "ge")  # by their numbers


cdef void compare_index(char **p, const int64_t *d, const double *s,
                        int threads) noexcept nogil:
    """y = 1 where a stands in the relation to b, else 0, broadcast; overwritten.

    p: a, b (int64), y (float32, contiguous).  d: relation, ndim, shape, a_strides, b_strides
    [ndim each], strides in elements.
    """
    run_broadcast(_compare_chunk, p, d, s, CHUNK, threads)


cdef void _compare_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const Walk *walk = <const Walk *> d
    cdef Block block
    cdef int64_t i
    for i in range(blocks_of(walk, chunk)):
        block = block_of(walk, chunk, i)
        _compare_block(walk.tag, &block, <const int64_t *> p[0] + block.a,
                       <const int64_t *> p[1] + block.b, <float *> p[2] + block.index)


cdef void _compare_block(int64_t relation, const Block *block, const int64_t *a, const int64_t *b,
                         float *y) noexcept nogil:
    """Rows of a block; the rows of y follow each other."""
    cdef int64_t row, i, left, right
    for row in range(block.rows):
        for i in range(block.columns):
            left = a[row * block.a_row + i * block.a_step]
            right = b[row * block.b_row + i * block.b_step]
            if relation == EQUAL:
                y[i] = left == right
            elif relation == UNEQUAL:
                y[i] = left != right
            elif relation == ABOVE:
                y[i] = left > right
            else:
                y[i] = left >= right
        y += block.columns


cdef void float_of_index(char **p, const int64_t *d, const double *s,
                         int threads) noexcept nogil:
    """y[n] = x[n] as float32, to the nearest; overwritten.  p: x (int64), y (float32).  d: n."""
    run_flat(_float_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _float_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK, i
    for i in range(at, at + chunk_size(d[0], CHUNK, chunk)):
        (<float *> p[1])[i] = <float> (<const int64_t *> p[0])[i]


cdef void index_of_float(char **p, const int64_t *d, const double *s,
                         int threads) noexcept nogil:
    """y[n] = x[n] as int64, without its fraction; overwritten.  p: x (float32), y (int64).  d: n.

    A NaN and what int64 cannot hold become its least number.
    """
    run_flat(_index_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _index_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef int64_t at = chunk * CHUNK, least = -9223372036854775807 - 1, i
    cdef float value
    for i in range(at, at + chunk_size(d[0], CHUNK, chunk)):
        value = (<const float *> p[0])[i]
        (<int64_t *> p[1])[i] = <int64_t> value if -2.0**63 <= value < 2.0**63 else least


def _compare_extents(d, threads):
    relation, ndim, *rest = d
    if not 0 <= relation < len(RELATIONS):
        raise ValueError(f"relation {relation} is not one of {len(RELATIONS)}")
    shape, a, b = shape_and_strides("compare_index", ndim, rest)
    return 8 * span(shape, a, 0), 8 * span(shape, b, 0), 4 * prod(shape)


def _compare_loads(d, threads):
    """Elements that each thread is dealt."""
    return run_loads(broadcast_sizes(d, CHUNK), SERIAL_WALK, threads)


def _float_loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(d[0], CHUNK, SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "compare_index": (<uintptr_t> &compare_index, _compare_extents, _compare_loads),
    "float_of_index": (
        <uintptr_t> &float_of_index, lambda d, threads: (8 * d[0], 4 * d[0]), _float_loads),
    "index_of_float": (
        <uintptr_t> &index_of_float, lambda d, threads: (4 * d[0], 8 * d[0]), _float_loads),
}

"""Updates of the rows of a table that a batch used: their gradients, and the step of SGD.

An embedding's gradient is zero but for the rows of the batch. It is kept as those rows alone, each
once, in the order of the table; the update then touches no other row.
"""

from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy, memset

from fastnn._kernels.chunks cimport run_flat
from fastnn._kernels.optimizer.table cimport simd
from fastnn._kernels.pointwise.table cimport simd as pointwise

from fastnn._kernels.chunks import flat_loads

cdef enum:
    CHUNK = 16384    # about the elements of a chunk
    SERIAL = 2       # chunks that are not worth a team of threads
    DIGITS = 2048    # the radix of the sort by row
    DIGIT_BITS = 11
    DECAY = 3        # the place of weight_decay in hyper


# ---- row_sums: the gradient of each row that is used ----

cdef void row_sums(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """sums[j] = the sum of dy[i] over the places i with index[i] = rows[j], in their order.

    rows are those that occur, in ascending order, then -1, where sums are 0; both overwritten.
    p: dy [n][width], index (int64[n]), sums [n][width], rows (int64[n]), workspace.
    d: n, width, count of rows, row that is left out (or -1). An index out of range is left out.
    """
    cdef int64_t *order = <int64_t *> p[4]
    cdef int64_t *starts = order + 2 * d[0]
    _group(d, <const int64_t *> p[1], order, order + d[0], starts, <int64_t *> p[3])
    run_flat(_sum_chunk, p, d, s, d[0], _rows(d[1]), SERIAL, threads)


cdef int64_t _rows(int64_t width) noexcept nogil:
    """Rows in a chunk."""
    return max(CHUNK // max(width, 1), 1)


cdef void _group(const int64_t *d, const int64_t *index, int64_t *order, int64_t *other,
                 int64_t *starts, int64_t *rows) noexcept nogil:
    """Order the places by row, keeping the order of equal ones; where each row's places start."""
    cdef int64_t i, n = 0, found = 0, shift = 0
    cdef int64_t *swap
    cdef int64_t *result = order
    for i in range(d[0]):
        if 0 <= index[i] < d[2] and index[i] != d[3]:
            order[n] = i
            n += 1
    while (d[2] - 1) >> shift:
        _by_digit(n, shift, index, order, other)
        swap = order
        order = other
        other = swap
        shift += DIGIT_BITS
    for i in range(n):
        if i == 0 or index[order[i]] != index[order[i - 1]]:
            rows[found] = index[order[i]]
            starts[found] = i
            found += 1
    for i in range(found, d[0]):
        rows[i] = -1
        starts[i] = n
    starts[d[0]] = n
    if order != result:
        memcpy(result, order, n * sizeof(int64_t))


cdef void _by_digit(int64_t n, int64_t shift, const int64_t *index, const int64_t *order,
                    int64_t *other) noexcept nogil:
    """A pass of a radix sort: by one digit of the row, equal ones in the order they have."""
    cdef int64_t counts[DIGITS]
    cdef int64_t i, digit, count, start = 0
    memset(counts, 0, sizeof(counts))
    for i in range(n):
        counts[(index[order[i]] >> shift) & (DIGITS - 1)] += 1
    for digit in range(DIGITS):
        count = counts[digit]
        counts[digit] = start
        start += count
    for i in range(n):
        digit = (index[order[i]] >> shift) & (DIGITS - 1)
        other[counts[digit]] = order[i]
        counts[digit] += 1


cdef void _sum_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const float *dy = <const float *> p[0]
    cdef const int64_t *order = <const int64_t *> p[4]
    cdef const int64_t *starts = order + 2 * d[0]
    cdef int64_t width = d[1], row = chunk * _rows(width), i
    cdef int64_t end = min(row + _rows(width), d[0])
    cdef float *sums = <float *> p[2] + row * width
    while row < end:
        if starts[row] == starts[row + 1]:
            memset(sums, 0, width * sizeof(float))
        else:
            memcpy(sums, dy + order[starts[row]] * width, width * sizeof(float))
        for i in range(starts[row] + 1, starts[row + 1]):
            pointwise.add(width, sums, dy + order[i] * width, sums)
        sums += width
        row += 1


# ---- sgd_rows: w -= lr * (g + weight_decay * w) ----

cdef void sgd_rows(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """SGD's step of a table of which most gradients are 0; without decay the others don't change.

    p: hyper (sgd's), steps, w [count][width], sums [n][width], rows (int64[n], ascending, then -1),
    workspace.  d: count, width, n, the place of the table's count in steps.
    """
    cdef const double *hyper = <const double *> p[0]
    if hyper[DECAY] == 0.0:
        run_flat(_used_chunk, p, d, s, d[2], _rows(d[1]), SERIAL, threads)
    else:
        memset(p[5], 0, d[1] * sizeof(float))
        run_flat(_every_chunk, p, d, s, d[0], _rows(d[1]), SERIAL, threads)
    (<int64_t *> p[1])[d[3]] += 1


cdef void _update(char **p, const int64_t *d, int64_t row, float *gradient) noexcept nogil:
    cdef float *buffers[2]
    buffers[0] = <float *> p[2] + row * d[1]
    buffers[1] = gradient
    simd.rows[0].update(d[1], (<const int64_t *> p[1])[d[3]] + 1, 0.0, <const double *> p[0],
                        buffers)


cdef void _used_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """Rows that were used."""
    cdef const int64_t *rows = <const int64_t *> p[4]
    cdef int64_t first = chunk * _rows(d[1]), j
    for j in range(first, min(first + _rows(d[1]), d[2])):
        if 0 <= rows[j] < d[0]:
            _update(p, d, rows[j], <float *> p[3] + j * d[1])


cdef void _every_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """All rows of the table, those that were not used with a gradient of 0."""
    cdef const int64_t *rows = <const int64_t *> p[4]
    cdef int64_t first = chunk * _rows(d[1]), row, j = _least(rows, d[2], first)
    for row in range(first, min(first + _rows(d[1]), d[0])):
        if j < d[2] and rows[j] == row:
            _update(p, d, row, <float *> p[3] + j * d[1])
            j += 1
        else:
            _update(p, d, row, <float *> p[5])


cdef int64_t _least(const int64_t *rows, int64_t n, int64_t row) noexcept nogil:
    """The first place whose row is not below `row`; those of -1 count as the largest."""
    cdef int64_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) // 2
        if 0 <= rows[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


def _sums_extents(d, threads):
    n, width, count, _ = d
    if min(n, width, count) < 0:
        raise ValueError(f"row_sums of a negative size: {tuple(d)}")
    return 4 * n * width, 8 * n, 4 * n * width, 8 * n, 8 * (3 * n + 1)


def _sgd_extents(d, threads):
    count, width, n, place = d
    if min(d) < 0:
        raise ValueError(f"sgd_rows of a negative size: {tuple(d)}")
    return 32, 8 * (place + 1), 4 * count * width, 4 * n * width, 8 * n, 4 * width


# ---- what threads are dealt: rows ----

def _sums_loads(d, threads):
    return flat_loads(d[0], _rows(d[1]), SERIAL, threads)


def _sgd_loads(d, threads):
    return flat_loads(d[2], _rows(d[1]), SERIAL, threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "row_sums": (<uintptr_t> &row_sums, _sums_extents, _sums_loads),
    "sgd_rows": (<uintptr_t> &sgd_rows, _sgd_extents, _sgd_loads),
}

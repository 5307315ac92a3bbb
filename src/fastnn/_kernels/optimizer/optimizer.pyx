"""Optimizers: each row of simd/table.c over all tensors at once, in one pass.

The elements of all tensors, one tensor after the other, are cut into chunks of fixed size. Each
tensor counts its own steps, from which Adam's bias corrections and SGD's first buffer follow. Here
g is the gradient times hyper's `scale`, within its `limit` from 0: a step is clipped or goes uphill
by these two numbers alone.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport run_flat
from fastnn._kernels.optimizer.table cimport optimizer_row, simd

from fastnn._kernels.chunks import flat_loads

cdef enum:
    CHUNK = 16384
    SERIAL = 2      # chunks that are not worth a team of threads


cdef void sgd(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """w -= lr * (g + weight_decay * w).  p: hyper, steps, then (w, g) per tensor."""
    _update(0, p, d, threads)


cdef void sgd_momentum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """m = momentum * m + (1 - dampening) * (g + weight_decay * w); w -= lr * m.

    A tensor's first step has no dampening.  p: hyper, steps, then (w, g, m) per tensor.
    """
    _update(1, p, d, threads)


cdef void sgd_nesterov(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """As sgd_momentum, but w -= lr * (g + weight_decay * w + momentum * m)."""
    _update(2, p, d, threads)


cdef void adam(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adam (Kingma and Ba, 2015), the decay added to the gradient.

    p: hyper, steps, then (w, g, exp_avg, exp_avg_sq) per tensor.
    """
    _update(3, p, d, threads)


cdef void adamw(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """AdamW (Loshchilov and Hutter, 2019): w *= 1 - lr * weight_decay, then Adam's step."""
    _update(4, p, d, threads)


cdef void _update(int row, char **p, const int64_t *d, int threads) noexcept nogil:
    """Update all tensors, and count the step of each.

    p: hyper (float64), steps (int64), the row's buffers per tensor.  d: count, sizes, and for each
    tensor the place of its count in steps.
    """
    cdef int64_t i, total = 0
    for i in range(d[0]):
        total += d[1 + i]
    # A chunk finds its row in the place of s.
    run_flat(_update_chunk, p, d, <const double *> &simd.rows[row], total, CHUNK, SERIAL, threads)
    for i in range(d[0]):
        (<int64_t *> p[1])[d[1 + d[0] + i]] += 1


cdef void _update_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """The CHUNK elements of a chunk; the tensors' elements counted as one sequence."""
    cdef const optimizer_row *row = <const optimizer_row *> s
    cdef float *buffers[8]
    cdef const int64_t *steps = <const int64_t *> p[1]
    cdef const int64_t *places = d + 1 + d[0]
    cdef int64_t tensor, low, high, start = 0, first = chunk * CHUNK
    cdef int k
    for tensor in range(d[0]):
        low = max(first - start, 0)
        high = min(first + CHUNK - start, d[1 + tensor])
        if low < high:
            for k in range(row.buffers):
                buffers[k] = <float *> p[2 + tensor * row.buffers + k] + low
            row.update(high - low, steps[places[tensor]] + 1, <const double *> p[0], buffers)
        start += d[1 + tensor]
        if start >= first + CHUNK:
            return


def optimizer_rows():
    """The table: (name, names of the numbers in hyper, buffers per tensor)."""
    return [(simd.rows[i].name.decode(), simd.rows[i].hyper.decode(),
             simd.rows[i].buffers) for i in range(simd.count)]


def _extents(hyper, buffers):
    def extents(d, threads):
        if len(d) != 1 + 2 * d[0] or min(d) < 0:
            raise ValueError("an optimizer takes the count of tensors, their sizes and the places "
                             f"of their counts of steps, not {d}")
        sizes, places = d[1:1 + d[0]], d[1 + d[0]:]
        spans = [4 * n for n in sizes for _ in range(buffers)]
        return (8 * (hyper.count(",") + 1), 8 * (max(places, default=-1) + 1), *spans)
    return extents


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(sum(d[1:1 + d[0]]), CHUNK, SERIAL, threads)


cdef _addresses():
    # In the order of the table's rows.
    return [<uintptr_t> &sgd, <uintptr_t> &sgd_momentum, <uintptr_t> &sgd_nesterov,
            <uintptr_t> &adam, <uintptr_t> &adamw]


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    name: (address, _extents(hyper, buffers), _loads)
    for address, (name, hyper, buffers) in zip(_addresses(), optimizer_rows(), strict=True)
}

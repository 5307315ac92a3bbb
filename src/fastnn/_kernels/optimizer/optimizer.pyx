"""Optimizers: each row of simd/table.c over all tensors at once, in one pass.

The elements of all tensors, one tensor after the other, are cut into chunks of fixed size. Each
tensor counts its own steps, from which Adam's bias corrections and SGD's first buffer follow; some
carry a number more. The gradient is taken times hyper's `scale`, within its `limit` from 0: a step
is clipped or goes uphill by these two numbers alone.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport run_flat
from fastnn._kernels.optimizer.table cimport OPTIMIZER_BUFFERS, optimizer_row, simd

from fastnn._kernels.chunks import flat_loads

cdef enum:
    CHUNK = 16384
    SERIAL = 2      # chunks that are not worth a team of threads


# Each takes p and d as `_update` does; g is the gradient, scaled and limited.

cdef void sgd(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """w -= lr * (g + weight_decay * w)."""
    _update(0, p, d, threads)


cdef void sgd_momentum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """m = momentum * m + (1 - dampening) * (g + weight_decay * w); w -= lr * m.

    A tensor's first step has no dampening.  State: momentum_buffer.
    """
    _update(1, p, d, threads)


cdef void sgd_nesterov(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """As sgd_momentum, but w -= lr * (g + weight_decay * w + momentum * m)."""
    _update(2, p, d, threads)


cdef void adam(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adam (Kingma and Ba, 2015), and AdamW (Loshchilov and Hutter, 2019) by `decoupled` decay.

    State: exp_avg, exp_avg_sq.
    """
    _update(3, p, d, threads)


cdef void amsgrad(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adam with the largest exp_avg_sq so far (Reddi et al., 2018).  State: that as third."""
    _update(4, p, d, threads)


cdef void nadam(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """NAdam (Dozat, 2016).  State: exp_avg, exp_avg_sq; carried: the product of momenta."""
    _update(5, p, d, threads)


cdef void radam(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """RAdam (Liu et al., 2020).  State: exp_avg, exp_avg_sq."""
    _update(6, p, d, threads)


cdef void adamax(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adamax (Kingma and Ba, 2015).  State: exp_avg, exp_inf."""
    _update(7, p, d, threads)


cdef void adagrad(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adagrad (Duchi et al., 2011).  State: sum."""
    _update(8, p, d, threads)


cdef void adadelta(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Adadelta (Zeiler, 2012).  State: square_avg, acc_delta."""
    _update(9, p, d, threads)


cdef void rmsprop(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """RMSprop (Hinton, 2012).  State: square_avg."""
    _update(10, p, d, threads)


cdef void rmsprop_momentum(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """RMSprop with momentum.  State: square_avg, momentum_buffer."""
    _update(11, p, d, threads)


cdef void rmsprop_centered(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """RMSprop by the variance (Graves, 2013).  State: square_avg, grad_avg."""
    _update(12, p, d, threads)


cdef void rmsprop_centered_momentum(char **p, const int64_t *d, const double *s,
                                    int threads) noexcept nogil:
    """Both.  State: square_avg, grad_avg, momentum_buffer."""
    _update(13, p, d, threads)


cdef void rprop(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Rprop (Riedmiller and Braun, 1993).  State: prev, step_size, which begins with lr."""
    _update(14, p, d, threads)


cdef void asgd(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """ASGD (Polyak and Juditsky, 1992).  State: ax; carried: the rate of the next step."""
    _update(15, p, d, threads)


cdef void lion(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Lion (Chen et al., 2023).  State: exp_avg."""
    _update(16, p, d, threads)


cdef void muon(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """Muon (Jordan et al., 2024).  State: momentum_buffer; then the direction of the step."""
    _update(17, p, d, threads)


cdef void ema(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """No optimizer: a moving average w of tensors g, w += weight * (g - w)."""
    _update(18, p, d, threads)


cdef void _update(int number, char **p, const int64_t *d, int threads) noexcept nogil:
    """Update all tensors, count the step of each, and carry their numbers on.

    p: hyper (float64), steps (int64), carried (float64; only of rows that have it), the row's
    buffers per tensor.  d: count, sizes, and for each tensor its place in steps and in carried.
    """
    cdef const optimizer_row *row = &simd.rows[number]
    cdef int64_t *steps = <int64_t *> p[1]
    cdef double *carried
    cdef int64_t i, place, total = 0
    for i in range(d[0]):
        total += d[1 + i]
    # A chunk finds its row in the place of s.
    run_flat(_update_chunk, p, d, <const double *> row, total, CHUNK, SERIAL, threads)
    for i in range(d[0]):
        place = d[1 + d[0] + i]
        steps[place] += 1
        if row.carries:
            carried = <double *> p[2]
            carried[place] = row.carried(steps[place], carried[place], <const double *> p[0])


cdef void _update_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    """The CHUNK elements of a chunk; the tensors' elements counted as one sequence."""
    cdef const optimizer_row *row = <const optimizer_row *> s
    cdef char **tensors = p + 2 + row.carries
    cdef float *buffers[OPTIMIZER_BUFFERS]
    cdef int64_t tensor, place, low, high, start = 0, first = chunk * CHUNK
    cdef double carried = 0.0
    cdef int k
    for tensor in range(d[0]):
        low = max(first - start, 0)
        high = min(first + CHUNK - start, d[1 + tensor])
        if low < high:
            for k in range(row.buffers):
                buffers[k] = <float *> tensors[tensor * row.buffers + k] + low
            place = d[1 + d[0] + tensor]
            if row.carries:
                carried = (<const double *> p[2])[place]
            row.update(high - low, (<const int64_t *> p[1])[place] + 1, carried,
                       <const double *> p[0], buffers)
        start += d[1 + tensor]
        if start >= first + CHUNK:
            return


# ---- Muon: what is made orthogonal ----

cdef void muon_direction(char **p, const int64_t *d, const double *s,
                         int threads) noexcept nogil:
    """y = (1 - mix) * g + mix * m, with m after the step; overwrites y, changes nothing else.

    p: hyper (muon's), g, m, y.  d: size.
    """
    run_flat(_direction_chunk, p, d, s, d[0], CHUNK, SERIAL, threads)


cdef void _direction_chunk(char **p, const int64_t *d, const double *s,
                           int64_t chunk) noexcept nogil:
    cdef int64_t first = chunk * CHUNK
    simd.muon_direction(min(<int64_t> CHUNK, d[0] - first), <const double *> p[0],
                        <const float *> p[1] + first, <const float *> p[2] + first,
                        <float *> p[3] + first)


def optimizer_rows():
    """The table: (name, names of the numbers in hyper, buffers per tensor, whether it carries)."""
    return [(simd.rows[i].name.decode(), simd.rows[i].hyper.decode(), simd.rows[i].buffers,
             bool(simd.rows[i].carries)) for i in range(simd.count)]


def _extents(hyper, buffers, carries):
    def extents(d, threads):
        if len(d) != 1 + 2 * d[0] or min(d) < 0:
            raise ValueError("an optimizer takes the count of tensors, their sizes and the places "
                             f"of their counts of steps, not {d}")
        sizes, places = d[1:1 + d[0]], d[1 + d[0]:]
        numbers = 8 * (max(places, default=-1) + 1)
        spans = [4 * n for n in sizes for _ in range(buffers)]
        return (8 * (hyper.count(",") + 1), *[numbers] * (1 + carries), *spans)
    return extents


def _direction_extents(d, threads):
    (n,) = d
    if n < 0:
        raise ValueError(f"muon_direction of a negative size: {n}")
    return 8 * NUMBERS["muon"], 4 * n, 4 * n, 4 * n


def _loads(d, threads):
    """Elements that each thread is dealt."""
    return flat_loads(sum(d[1:1 + d[0]]), CHUNK, SERIAL, threads)


def _direction_loads(d, threads):
    return flat_loads(d[0], CHUNK, SERIAL, threads)


cdef _addresses():
    # In the order of the table's rows.
    return [<uintptr_t> &sgd, <uintptr_t> &sgd_momentum, <uintptr_t> &sgd_nesterov,
            <uintptr_t> &adam, <uintptr_t> &amsgrad, <uintptr_t> &nadam,
            <uintptr_t> &radam, <uintptr_t> &adamax, <uintptr_t> &adagrad,
            <uintptr_t> &adadelta, <uintptr_t> &rmsprop, <uintptr_t> &rmsprop_momentum,
            <uintptr_t> &rmsprop_centered, <uintptr_t> &rmsprop_centered_momentum,
            <uintptr_t> &rprop, <uintptr_t> &asgd, <uintptr_t> &lion,
            <uintptr_t> &muon, <uintptr_t> &ema]


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    name: (address, _extents(hyper, buffers, carries), _loads)
    for address, (name, hyper, buffers, carries) in zip(_addresses(), optimizer_rows(), strict=True)
}
NUMBERS = {name: hyper.count(",") + 1 for name, hyper, _, _ in optimizer_rows()}
KERNELS["muon_direction"] = (<uintptr_t> &muon_direction, _direction_extents, _direction_loads)

"""The loss of log-probabilities at class numbers, and its gradient."""

from cython.parallel cimport prange
from libc.math cimport NAN
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, count_chunks, run_chunks, runs_alone

from fastnn._kernels.chunks import run_loads

cdef enum:
    ROWS = 4096          # rows whose losses are one chunk
    GRADIENTS = 16384    # about the values whose gradients are one chunk
    SERIAL = 2           # chunks that are not worth a team of threads


cdef bint is_class(int64_t target, const int64_t *d) noexcept nogil:
    """Whether it is a class that counts."""
    return 0 <= target < d[1] and target != d[3]


cdef void loss_chunk(char **p, const int64_t *d, int64_t chunk) noexcept nogil:
    """Losses of one chunk of rows, and in the workspace their sum and that of weights."""
    cdef const float *x = <const float *> p[0]
    cdef const int64_t *targets = <const int64_t *> p[1]
    cdef const float *weights = <const float *> p[2]
    cdef float *row_loss = <float *> p[3]
    cdef double *partial = <double *> p[6] + 2 * chunk
    cdef int64_t row, target, first = chunk * ROWS
    cdef float weight, loss
    cdef double total = 0, counted = 0
    for row in range(first, first + chunk_size(d[0], ROWS, chunk)):
        target = targets[row]
        weight = 0
        loss = 0 if target == d[3] else NAN
        if is_class(target, d):
            weight = weights[target] if d[4] else 1
            loss = -weight * x[row * d[1] + target]
        row_loss[row] = loss
        total += loss
        counted += weight
    partial[0] = total
    partial[1] = counted


cdef void nll_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """row_loss[r] = -class_weight[target[r]] * x[r, target[r]]; all overwritten.

    A row whose target is ignore_index loses 0, an impossible target NaN.
    total = the reduced loss, 0 for none; mean divides by the weights of the targets, the divisor.
    p: x[rows, classes], target int64[rows], class_weight[classes], row_loss[rows], total[1],
    divisor[1], workspace.
    d: rows, classes, reduction (0 none, 1 mean, 2 sum), ignore_index, has_class_weight.
    """
    cdef double *partials = <double *> p[6]
    cdef int64_t chunk, chunks = count_chunks(d[0], ROWS)
    cdef double loss = 0, weights = 0
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=not runs_alone(chunks, SERIAL, threads)):
        loss_chunk(p, d, chunk)
    for chunk in range(chunks):
        loss += partials[2 * chunk]
        weights += partials[2 * chunk + 1]
    (<float *> p[5])[0] = <float> weights if d[2] == 1 else 1
    (<float *> p[4])[0] = 0
    if d[2] == 1:
        (<float *> p[4])[0] = <float> (loss / weights)
    elif d[2] == 2:
        (<float *> p[4])[0] = <float> loss


cdef int64_t rows_of(int64_t classes) noexcept nogil:
    """Rows whose gradients are one chunk."""
    return max(GRADIENTS // classes, 1)


cdef void gradient_chunk(char **p, const int64_t *d, const double *s,
                         int64_t chunk) noexcept nogil:
    cdef const int64_t *targets = <const int64_t *> p[0]
    cdef const float *weights = <const float *> p[1]
    cdef const float *dloss = <const float *> p[3]
    cdef float scale = 1 / (<const float *> p[2])[0] if d[2] == 1 else 1
    cdef float *dx = <float *> p[4]
    cdef float other
    cdef int64_t row, j, target, first = chunk * rows_of(d[1])
    for row in range(first, first + chunk_size(d[0], rows_of(d[1]), chunk)):
        target = targets[row]
        other = 0 if is_class(target, d) or target == d[3] else NAN
        for j in range(d[1]):
            dx[row * d[1] + j] = other
        if is_class(target, d):
            dx[row * d[1] + target] = -scale * (weights[target] if d[4] else 1) * (
                dloss[0] if d[2] else dloss[row])


cdef void nll_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx = dloss * d loss / dx: one value of each row, and 0 elsewhere; overwritten.

    p: target, class_weight, divisor[1], dloss[1] (mean, sum) or [rows] (none), dx[rows, classes].
    d: as nll_forward.
    """
    run_chunks(gradient_chunk, p, d, s, count_chunks(d[0], rows_of(d[1])), SERIAL, threads)


def _shape(d):
    rows, classes, reduction = d[:3]
    if rows < 1 or classes < 1:
        raise ValueError(f"nll needs at least one row and one class, not [{rows}, {classes}]")
    if reduction not in (0, 1, 2):
        raise ValueError(f"nll: reduction must be 0 (none), 1 (mean) or 2 (sum), not {reduction}")
    return rows, classes


def _forward_extents(d, threads):
    rows, classes = _shape(d)
    return (4 * rows * classes, 8 * rows, 4 * classes if d[4] else 0, 4 * rows, 4, 4,
            16 * count_chunks(rows, ROWS))


def _backward_extents(d, threads):
    rows, classes = _shape(d)
    return (8 * rows, 4 * classes if d[4] else 0, 4, 4 if d[2] else 4 * rows, 4 * rows * classes)


def _loads(rows_in_chunk, width):
    """Values that each thread is dealt."""
    def loads(d, threads):
        each = rows_in_chunk(d[1])
        return run_loads([width(d[1]) * chunk_size(d[0], each, chunk)
                          for chunk in range(count_chunks(d[0], each))], SERIAL, threads)
    return loads


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "nll_forward": (<uintptr_t> &nll_forward, _forward_extents,
                    _loads(lambda classes: ROWS, lambda classes: 1)),
    "nll_backward": (<uintptr_t> &nll_backward, _backward_extents,
                     _loads(lambda classes: rows_of(classes), lambda classes: classes)),
}

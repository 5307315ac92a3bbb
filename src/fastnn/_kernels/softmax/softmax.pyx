"""Softmax, log-softmax and cross-entropy over rows of classes."""

from cython.parallel cimport prange
from libc.math cimport NAN
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, count_chunks, run_chunks
from fastnn._kernels.dispatch cimport LEVEL

from fastnn._kernels.chunks import dealt, run_loads

cdef extern from "softmax/simd/softmax.h":
    ctypedef struct softmax_table:
        void (*softmax)(int64_t classes, const float *x, float *y) noexcept nogil
        void (*log_softmax)(int64_t classes, const float *x, float *y) noexcept nogil
        void (*softmax_grad)(int64_t classes, const float *y, const float *dy,
                             float *dx) noexcept nogil
        void (*log_softmax_grad)(int64_t classes, const float *y, const float *dy,
                                 float *dx) noexcept nogil
        void (*max_and_log_sum)(int64_t rows, int64_t classes, const float *x, float *max,
                                float *log_sum) noexcept nogil
        float (*weighted_sum)(int64_t classes, const float *x, const float *weight,
                              float max) noexcept nogil
        void (*cross_entropy_grad)(int64_t rows, int64_t classes, const float *x,
                                   const float *weight, const float *max,
                                   const float *log_sum, const float *gain,
                                   const float *smooth, float *dx) noexcept nogil
    const softmax_table *softmax_at(int level) noexcept nogil

cdef const softmax_table *simd = softmax_at(LEVEL)

cdef enum:
    CHUNK = 256         # rows per chunk at most; losses are summed per chunk, then over chunks
    LOSSES = 16384      # about the values whose losses are one chunk
    GRADIENTS = 4096    # about the values whose gradients are one chunk
    SERIAL = 8192       # values that are not worth a team of threads


cdef int64_t serial_rows(int64_t classes) noexcept nogil:
    return SERIAL // classes


cdef void softmax_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef int64_t at = row * d[1]
    simd.softmax(d[1], <const float *> p[0] + at, <float *> p[1] + at)


cdef void softmax_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = exp(x - max) / sum(exp(x - max)) along each row, overwritten.

    p: x[rows, classes], y.  d: rows, classes.  y may be x.
    """
    run_chunks(softmax_row, p, d, s, d[0], serial_rows(d[1]), threads)


cdef void log_softmax_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef int64_t at = row * d[1]
    simd.log_softmax(d[1], <const float *> p[0] + at, <float *> p[1] + at)


cdef void log_softmax_forward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """y = x - max - log(sum(exp(x - max))) along each row, overwritten.

    p: x[rows, classes], y.  d: rows, classes.  y may be x.
    """
    run_chunks(log_softmax_row, p, d, s, d[0], serial_rows(d[1]), threads)


cdef void softmax_grad_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef int64_t at = row * d[1]
    simd.softmax_grad(
        d[1], <const float *> p[0] + at, <const float *> p[1] + at, <float *> p[2] + at)


cdef void softmax_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx = y * (dy - sum(dy * y)) along each row, overwritten.

    p: y[rows, classes], dy, dx.  d: rows, classes.  dx may be dy or y.
    """
    run_chunks(softmax_grad_row, p, d, s, d[0], serial_rows(d[1]), threads)


cdef void log_softmax_grad_row(char **p, const int64_t *d, const double *s,
                               int64_t row) noexcept nogil:
    cdef int64_t at = row * d[1]
    simd.log_softmax_grad(
        d[1], <const float *> p[0] + at, <const float *> p[1] + at, <float *> p[2] + at)


cdef void log_softmax_backward(char **p, const int64_t *d, const double *s,
                               int threads) noexcept nogil:
    """dx = dy - exp(y) * sum(dy) along each row, overwritten.

    p: y[rows, classes], dy, dx.  d: rows, classes.  dx may be dy or y.
    """
    run_chunks(log_softmax_grad_row, p, d, s, d[0], serial_rows(d[1]), threads)


# ---- cross-entropy ----

cdef int64_t chunk_rows(int64_t classes, int64_t values) noexcept nogil:
    """Rows in one chunk of about so many values."""
    return max(min(values // classes, CHUNK), 1)


cdef bint by_team(int64_t rows, int64_t classes, int threads) noexcept nogil:
    return threads > 1 and rows * classes > SERIAL


# What both passes read of p, d and s.
ctypedef struct problem:
    const float *logits
    const int64_t *target
    const float *weight     # NULL: ones
    int64_t rows, classes, reduction, ignore_index
    float smoothing         # label_smoothing
    float weight_sum


cdef problem describe(char **p, const int64_t *d, const double *s) noexcept nogil:
    cdef problem q
    cdef int64_t j
    cdef double total = 0
    q.logits = <const float *> p[0]
    q.target = <const int64_t *> p[1]
    q.weight = <const float *> p[2] if d[4] else NULL
    q.rows, q.classes, q.reduction, q.ignore_index = d[0], d[1], d[2], d[3]
    q.smoothing = <float> s[0]
    q.weight_sum = <float> q.classes
    if q.weight != NULL and q.smoothing != 0:
        for j in range(q.classes):
            total += q.weight[j]
        q.weight_sum = <float> total
    return q


cdef void loss_chunk(const problem *q, int64_t chunk, float *row_loss, float *largest,
                     float *log_sums, double *partial) noexcept nogil:
    """Losses of one chunk of rows; partial[0] = their sum, partial[1] = the sum of weights."""
    cdef int64_t each = chunk_rows(q.classes, LOSSES), row, target, first = chunk * each
    cdef int64_t rows = chunk_size(q.rows, each, chunk)
    cdef const float *x
    cdef float log_sum, weight, loss
    cdef double total = 0, weights = 0
    simd.max_and_log_sum(rows, q.classes, q.logits + first * q.classes, largest + first,
                         log_sums + first)
    for row in range(first, first + rows):
        x = q.logits + row * q.classes
        target = q.target[row]
        log_sum = log_sums[row]
        weight = 0
        loss = 0
        if target != q.ignore_index:
            if target < 0 or target >= q.classes:
                loss = NAN
            else:
                weight = q.weight[target] if q.weight != NULL else 1
                loss = (1 - q.smoothing) * weight * (log_sum - (x[target] - largest[row]))
                if q.smoothing != 0:
                    loss = loss + q.smoothing / q.classes * (
                        q.weight_sum * log_sum
                        - simd.weighted_sum(q.classes, x, q.weight, largest[row]))
        row_loss[row] = loss
        total += loss
        weights += weight
    partial[0] = total
    partial[1] = weights


cdef void cross_entropy_forward(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """row_loss[r] = -sum over classes of q * log_softmax(logits[r]); all overwritten.

    q = (1 - label_smoothing) * class_weight at the target, + label_smoothing / classes *
    class_weight at all; rows whose target is ignore_index lose 0, an impossible target NaN.
    total = the reduced loss, 0 for none; mean divides by the weights of the targets, the divisor.
    p: logits[rows, classes], target int64[rows], class_weight[classes], row_loss[rows],
    largest[rows] (max of logits), log_sum[rows] (log sum exp(logits - max)), total[1], divisor[1],
    workspace.  s: label_smoothing.
    d: rows, classes, reduction (0 none, 1 mean, 2 sum), ignore_index, has_class_weight.
    """
    cdef problem q = describe(p, d, s)
    cdef float *row_loss = <float *> p[3]
    cdef float *total = <float *> p[6]
    cdef float *divisor = <float *> p[7]
    cdef double *partials = <double *> p[8]
    cdef int64_t chunk, chunks = count_chunks(q.rows, chunk_rows(q.classes, LOSSES))
    cdef double loss = 0, weights = 0
    for chunk in prange(chunks, num_threads=threads, schedule="static",
                        use_threads_if=by_team(q.rows, q.classes, threads)):
        loss_chunk(&q, chunk, row_loss, <float *> p[4], <float *> p[5], partials + 2 * chunk)
    for chunk in range(chunks):
        loss += partials[2 * chunk]
        weights += partials[2 * chunk + 1]
    divisor[0] = <float> weights if q.reduction == 1 else 1
    total[0] = 0
    if q.reduction == 1:
        total[0] = <float> (loss / weights)
    elif q.reduction == 2:
        total[0] = <float> loss


cdef void gradient_chunk(const problem *q, int64_t first, int64_t rows, const float *largest,
                         const float *log_sum, const float *dloss, float scale,
                         float *dx) noexcept nogil:
    """dx = dloss * scale * (softmax * sum(q) - q) of some rows, q as in cross_entropy_forward."""
    cdef float gain[CHUNK]
    cdef float share[CHUNK]
    cdef float smooth[CHUNK]
    cdef float weight
    cdef int64_t i, j, target
    for i in range(rows):
        target = q.target[first + i]
        weight = q.weight[target] if q.weight != NULL and 0 <= target < q.classes else 1
        weight = weight * (1 - q.smoothing)
        gain[i] = (dloss[0] if q.reduction else dloss[first + i]) * scale
        share[i] = gain[i] * (weight + q.smoothing / q.classes * q.weight_sum)
        smooth[i] = gain[i] * (q.smoothing / q.classes)
        gain[i] = gain[i] * weight
    simd.cross_entropy_grad(rows, q.classes, q.logits + first * q.classes, q.weight,
                            largest + first, log_sum + first, share, smooth,
                            dx + first * q.classes)
    for i in range(rows):
        target = q.target[first + i]
        if 0 <= target < q.classes and target != q.ignore_index:
            dx[(first + i) * q.classes + target] -= gain[i]
            continue
        for j in range(q.classes):
            dx[(first + i) * q.classes + j] = 0 if target == q.ignore_index else NAN


cdef void cross_entropy_backward(char **p, const int64_t *d, const double *s,
                                 int threads) noexcept nogil:
    """dlogits = dloss * d loss / d logits, overwritten.  dlogits may be logits.

    p: logits, target, class_weight, largest, log_sum, divisor[1], dloss[1] (mean, sum) or [rows]
    (none), dlogits[rows, classes].  d, s: as cross_entropy_forward.
    """
    cdef problem q = describe(p, d, s)
    cdef float scale = 1 / (<const float *> p[5])[0] if q.reduction == 1 else 1
    cdef int64_t each = chunk_rows(q.classes, GRADIENTS), chunk
    for chunk in prange(count_chunks(q.rows, each), num_threads=threads, schedule="static",
                        use_threads_if=by_team(q.rows, q.classes, threads)):
        gradient_chunk(&q, chunk * each, chunk_size(q.rows, each, chunk),
                       <const float *> p[3], <const float *> p[4], <const float *> p[6], scale,
                       <float *> p[7])


def _shape(d):
    rows, classes = d[:2]
    if rows < 1 or classes < 1:
        raise ValueError(f"softmax needs at least one row and one class, not [{rows}, {classes}]")
    return rows, classes


def _rows_extents(buffers):
    def extents(d, threads):
        rows, classes = _shape(d)
        return (4 * rows * classes,) * buffers
    return extents


def _check_reduction(d):
    if d[2] not in (0, 1, 2):
        raise ValueError(
            f"cross-entropy reduction must be 0 (none), 1 (mean) or 2 (sum), not {d[2]}")


def _loss_extents(d, threads):
    rows, classes = _shape(d)
    _check_reduction(d)
    chunks = count_chunks(rows, chunk_rows(classes, LOSSES))
    return (4 * rows * classes, 8 * rows, 4 * classes if d[4] else 0, 4 * rows, 4 * rows, 4 * rows,
            4, 4, 16 * chunks)


def _loss_backward_extents(d, threads):
    rows, classes = _shape(d)
    _check_reduction(d)
    return (4 * rows * classes, 8 * rows, 4 * classes if d[4] else 0, 4 * rows, 4 * rows, 4,
            4 if d[2] else 4 * rows, 4 * rows * classes)


def _rows_loads(d, threads):
    """Values that each thread is dealt."""
    rows, classes = d
    return run_loads([classes] * rows, serial_rows(classes), threads)


def _loss_loads(values):
    """Values that each thread is dealt, in chunks of about so many."""
    def loads(d, threads):
        rows, classes = d[:2]
        each = chunk_rows(classes, values)
        return dealt([classes * chunk_size(rows, each, chunk)
                      for chunk in range(count_chunks(rows, each))], threads,
                     alone=not by_team(rows, classes, threads))
    return loads


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "softmax_forward": (<uintptr_t> &softmax_forward, _rows_extents(2), _rows_loads),
    "log_softmax_forward": (<uintptr_t> &log_softmax_forward, _rows_extents(2), _rows_loads),
    "softmax_backward": (<uintptr_t> &softmax_backward, _rows_extents(3), _rows_loads),
    "log_softmax_backward": (<uintptr_t> &log_softmax_backward, _rows_extents(3), _rows_loads),
    "cross_entropy_forward": (
        <uintptr_t> &cross_entropy_forward, _loss_extents, _loss_loads(LOSSES)),
    "cross_entropy_backward": (
        <uintptr_t> &cross_entropy_backward, _loss_backward_extents, _loss_loads(GRADIENTS)),
}

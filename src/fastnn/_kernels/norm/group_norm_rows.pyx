"""Group norm of x[n, c, length], where a group of an example is one run of memory."""

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, count_chunks
from fastnn._kernels.dispatch cimport LEVEL
from fastnn._kernels.norm.group_norm cimport add_runs, run_length

from fastnn._kernels.chunks import dealt

cdef extern from "norm/simd/group_norm_rows.h":
    ctypedef struct group_norm_rows_table:
        void (*moments)(int64_t n, const float *x, double *mean, double *square) noexcept nogil
        void (*apply)(int64_t n, const float *x, float mean, float scale, float bias,
                      float *y) noexcept nogil
        void (*sums)(int64_t n, const float *dy, const float *x, float mean, double *sum,
                     double *product) noexcept nogil
        void (*backward)(int64_t n, const float *dy, const float *x, float mean, float scale,
                         float slope, float offset, float *dx) noexcept nogil
    const group_norm_rows_table *group_norm_rows_at(int level) noexcept nogil

cdef const group_norm_rows_table *simd = group_norm_rows_at(LEVEL)

cdef enum:
    SERIAL = 16384      # values that are not worth a team of threads


# The sizes of a call.
ctypedef struct shape:
    int64_t n, groups, each, length
    int64_t values      # in a group of an example


cdef shape read_shape(const int64_t *d) noexcept nogil:
    cdef shape q
    q.n, q.groups, q.each, q.length = d[0], d[1], d[2], d[3]
    q.values = q.each * q.length
    return q


cdef bint by_team(const shape *q, int threads) noexcept nogil:
    return threads > 1 and q.n * q.groups * q.values > SERIAL


cdef void forward_group(const shape *q, char **p, double eps, int64_t group) noexcept nogil:
    """A group of an example: number `group` of all of them."""
    cdef const float *x = <const float *> p[0] + group * q.values
    cdef const float *weight = <const float *> p[1] + group % q.groups * q.each
    cdef const float *bias = <const float *> p[2] + group % q.groups * q.each
    cdef float *y = <float *> p[3] + group * q.values
    cdef float *mean = <float *> p[4] + group
    cdef double middle, square, rstd
    cdef int64_t channel, at
    simd.moments(q.values, x, &middle, &square)
    mean[0], (<float *> p[5])[group] = <float> middle, <float> (square / q.values)
    rstd = 1 / sqrt((<float *> p[5])[group] + eps)
    for channel in range(q.each):
        at = channel * q.length
        simd.apply(q.length, x + at, mean[0], <float> (weight[channel] * rstd), bias[channel],
                   y + at)


cdef void group_norm_rows_forward(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """y = (x - mean) / sqrt(var + eps) * weight + bias; all overwritten.

    mean and (biased) var are over a group of one example.
    p: x[n, c, length], weight[c], bias[c], y, mean[n, groups], var[n, groups].
    d: n, groups, c / groups, length.  s: eps.  y may be x.
    """
    cdef shape q = read_shape(d)
    cdef int64_t group
    for group in prange(q.n * q.groups, num_threads=threads, schedule="static",
                        use_threads_if=by_team(&q, threads)):
        forward_group(&q, p, s[0], group)


cdef void backward_group(const shape *q, char **p, double eps, int64_t group, double *sum,
                         double *product) noexcept nogil:
    """dx of a group of an example; sum and product: what it adds to those of its channels."""
    cdef const float *dy = <const float *> p[0] + group * q.values
    cdef const float *x = <const float *> p[1] + group * q.values
    cdef const float *weight = <const float *> p[4] + group % q.groups * q.each
    cdef float mean = (<const float *> p[2])[group], slope, offset
    cdef double rstd = 1 / sqrt((<const float *> p[3])[group] + eps)
    cdef double total = 0, products = 0, own, own_product
    cdef int64_t channel, at
    for channel in range(q.each):
        at = channel * q.length
        simd.sums(q.length, dy + at, x + at, mean, &own, &own_product)
        total += weight[channel] * own
        products += weight[channel] * own_product
        sum[channel] += own
        product[channel] += own_product * rstd
    slope = <float> (-rstd * rstd * rstd * products / q.values)
    offset = <float> (-rstd * total / q.values)
    for channel in range(q.each):
        at = channel * q.length
        simd.backward(q.length, dy + at, x + at, mean, <float> (weight[channel] * rstd), slope,
                      offset, <float *> p[5] + group * q.values + at)


cdef void backward_run(const shape *q, char **p, double eps, int64_t task) noexcept nogil:
    """A group of the examples of a run, with their sums."""
    cdef int64_t run = task // q.groups, group = task % q.groups, c = q.groups * q.each
    cdef int64_t length = run_length(q.n), example, channel
    cdef double *sum = <double *> p[8] + 2 * run * c + group * q.each
    for channel in range(q.each):
        sum[channel] = sum[c + channel] = 0
    for example in range(run * length, run * length + chunk_size(q.n, length, run)):
        backward_group(q, p, eps, example * q.groups + group, sum, sum + c)


cdef void group_norm_rows_backward(char **p, const int64_t *d, const double *s,
                                   int threads) noexcept nogil:
    """dx, dweight[c], dbias[c] of group_norm_rows_forward, overwritten.

    dx = (g - mean(g) - z * mean(g * z)) / sqrt(var + eps), z the normed x, g = dy * weight.
    p: dy[n, c, length], x, mean[n, groups], var, weight[c], dx, dweight, dbias, workspace.
    d: n, groups, c / groups, length.  s: eps.  dx may be dy.
    """
    cdef shape q = read_shape(d)
    cdef int64_t task, runs = count_chunks(q.n, run_length(q.n))
    for task in prange(runs * q.groups, num_threads=threads, schedule="static",
                       use_threads_if=by_team(&q, threads)):
        backward_run(&q, p, s[0], task)
    add_runs(q.n, q.groups * q.each, <const double *> p[8], <float *> p[6], <float *> p[7],
             by_team(&q, threads), threads)


def _shape(d):
    n, groups, each, length = d
    if n < 0 or groups < 1 or each < 1 or length < 1:
        raise ValueError("group norm needs groups, channels in each and places, not "
                         f"[{n}, {groups}, {each}, {length}]")
    return 4 * n * groups * each * length, 4 * n * groups, 4 * groups * each


def _extents(d, threads):
    values, groups, channels = _shape(d)
    return values, channels, channels, values, groups, groups


def _backward_extents(d, threads):
    values, groups, channels = _shape(d)
    return (values, values, groups, groups, channels, values, channels, channels,
            4 * count_chunks(d[0], run_length(d[0])) * channels)


def _loads(run):
    """Values that each thread is dealt, a group of `run(n)` examples at a time."""
    def loads(d, threads):
        n, groups, each, length = d
        cdef shape q
        q.n, q.groups, q.each, q.length, q.values = n, groups, each, length, each * length
        size = run(n)
        sizes = [each * length * chunk_size(n, size, number)
                 for number in range(count_chunks(n, size)) for _ in range(groups)]
        return dealt(sizes, threads, alone=not by_team(&q, threads))
    return loads


def _run_length(n):
    return run_length(n)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "group_norm_rows_forward": (
        <uintptr_t> &group_norm_rows_forward, _extents, _loads(lambda n: 1)),
    "group_norm_rows_backward": (
        <uintptr_t> &group_norm_rows_backward, _backward_extents, _loads(_run_length)),
}

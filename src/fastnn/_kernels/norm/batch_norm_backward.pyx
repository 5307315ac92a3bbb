"""Gradient of batch norm over x[m, c]: one pass for the sums of channels, one for dx."""

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.norm.batch_norm cimport (
    MERGE, WIDTH, blocks, by_team, chunk_length, divide, partial_count, partition, scale_columns,
    spread)
from fastnn._kernels.norm.table cimport norm_columns, simd

from fastnn._kernels.norm.batch_norm import apply_loads, stats_loads


# The pointers of one gradient, and what it is of.
ctypedef struct gradient:
    const float *dy
    const float *x
    const float *mean
    const float *var
    const float *weight
    const float *bias   # NULL without ReLU
    float *dx
    double *partials    # sums of chunks
    const double *merged  # sum of dy, then sum of dy * (x - mean), over all rows
    double eps
    int constant        # statistics do not depend on x


cdef void sums_block(const gradient *g, int64_t rows, int64_t width, int64_t c, int64_t at,
                     double *sums) noexcept nogil:
    """sums[0, width] = sum of dy, sums[1, width] = sum of dy * (x - mean)."""
    cdef float mean[WIDTH]
    cdef float scale[WIDTH]
    cdef float bias[WIDTH]
    cdef norm_columns v
    cdef int64_t block, first, part
    v.mean, v.scale, v.bias = mean, scale, bias
    for block in range(blocks(width)):
        first = block * WIDTH
        part = min(WIDTH, width - first)
        spread(part, c, first, g.mean, mean)
        if g.bias != NULL:
            scale_columns(part, c, first, g.var, g.weight, g.eps, scale)
            spread(part, c, first, g.bias, bias)
        simd.sums(rows, part, width, g.dy + at + first, g.x + at + first, &v,
                  sums + first, sums + width + first, g.bias != NULL)


cdef void sums_chunk(const partition *cut, const gradient *g, int64_t chunk) noexcept nogil:
    sums_block(g, chunk_length(cut, chunk), cut.width, cut.c, chunk * cut.chunk_rows * cut.width,
               g.partials + 2 * chunk * cut.width)


cdef void merge_sums(const partition *cut, const gradient *g, int64_t first, int64_t end,
                     float *dweight, float *dbias) noexcept nogil:
    """Add the partial sums of channels first..end, in order."""
    cdef int64_t part, chunk, j, c = cut.c, count = partial_count(cut)
    cdef double *merged = <double *> g.merged
    cdef const double *sums
    for j in range(first, end):
        merged[j] = merged[c + j] = 0
    for part in range(count):
        chunk = part // cut.repeat
        sums = g.partials + 2 * chunk * cut.width + (part % cut.repeat) * c
        for j in range(first, end):
            merged[j] += sums[j]
            merged[c + j] += sums[(cut.width if chunk < cut.chunks else c) + j]
    for j in range(first, end):
        dbias[j] = <float> merged[j]
        dweight[j] = <float> (merged[c + j] / sqrt(g.var[j] + g.eps))


cdef void gradient_block(const partition *cut, const gradient *g, int64_t rows, int64_t width,
                         int64_t at) noexcept nogil:
    """dx = scale * (dy - mean(dy) - (x - mean) * mean(dy * (x - mean)) / (var + eps))."""
    cdef float values[5][WIDTH]
    cdef norm_columns v
    cdef int64_t block, first, part, j, c = cut.c
    cdef const double *merged = g.merged
    v.mean, v.scale, v.bias, v.slope, v.offset = (
        values[0], values[1], values[2], values[3], values[4])
    for block in range(blocks(width)):
        first = block * WIDTH
        part = min(WIDTH, width - first)
        spread(part, c, first, g.mean, values[0])
        scale_columns(part, c, first, g.var, g.weight, g.eps, values[1])
        if g.bias != NULL:
            spread(part, c, first, g.bias, values[2])
        if not g.constant:
            for j in range(min(part, c)):
                values[3][j] = <float> (-values[1][j] * merged[c + first + j] / cut.m
                                        / (g.var[first + j] + g.eps))
                values[4][j] = <float> (-values[1][j] * merged[first + j] / cut.m)
            for j in range(c, part):
                values[3][j] = values[3][j - c]
                values[4][j] = values[4][j - c]
        simd.backward(rows, part, width, g.dy + at + first, g.x + at + first, &v,
                      g.dx + at + first, g.bias != NULL, g.constant)


cdef void spread_gradient(const partition *cut, const gradient *g, int threads) noexcept nogil:
    """dx of all rows, from the merged sums."""
    cdef int64_t chunk
    for chunk in prange(cut.chunks, num_threads=threads, schedule="static",
                        use_threads_if=by_team(cut, threads)):
        gradient_block(cut, g, chunk_length(cut, chunk), cut.width,
                       chunk * cut.chunk_rows * cut.width)
    if cut.left:
        gradient_block(cut, g, cut.left, cut.c, cut.rows * cut.width)


cdef void backward(char **p, const int64_t *d, const double *s, int threads, int relu,
                   int constant) noexcept nogil:
    cdef partition cut = divide(d[0], d[1])
    cdef gradient g
    cdef int64_t task, tasks = (cut.c + MERGE - 1) // MERGE, end = cut.rows * cut.width
    cdef float *dweight = <float *> p[6 + relu]
    cdef float *dbias = <float *> p[7 + relu]
    cdef bint team = by_team(&cut, threads)
    g.dy, g.x, g.mean = <const float *> p[0], <const float *> p[1], <const float *> p[2]
    g.var, g.weight = <const float *> p[3], <const float *> p[4]
    g.bias = <const float *> p[5] if relu else NULL
    g.dx = <float *> p[5 + relu]
    g.partials = <double *> p[8 + relu]
    g.merged = g.partials + 2 * partial_count(&cut) * cut.c
    g.eps = s[0]
    g.constant = constant
    for task in prange(cut.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        sums_chunk(&cut, &g, cut.chunks - 1 - task)  # from the end, as in batch_norm_stats
    if cut.left:
        sums_block(&g, cut.left, cut.c, cut.c, end, g.partials + 2 * cut.chunks * cut.width)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=team and tasks > 1):
        merge_sums(&cut, &g, task * MERGE, min(cut.c, (task + 1) * MERGE), dweight, dbias)
    spread_gradient(&cut, &g, threads)


cdef void batch_norm_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """Gradient of y = batch_norm(x) where mean and var are those of x; all overwritten.

    dbias = sum dy, dweight = sum dy * xhat with xhat = (x - mean) / sqrt(var + eps),
    dx = weight / sqrt(var + eps) * (dy - dbias / m - xhat * dweight / m).
    p: dy, x, mean, var, weight, dx, dweight, dbias, workspace.  d: m, c.  s: eps.  dx may be dy.
    """
    backward(p, d, s, threads, 0, 0)


cdef void batch_norm_relu_backward(char **p, const int64_t *d, const double *s,
                                   int threads) noexcept nogil:
    """batch_norm_backward with dy zero where batch_norm_apply(x) <= 0; all overwritten.

    p: dy, x, mean, var, weight, bias, dx, dweight, dbias, workspace.  d: m, c.  s: eps.
    dx may be dy.
    """
    backward(p, d, s, threads, 1, 0)


cdef void batch_norm_eval_backward(char **p, const int64_t *d, const double *s,
                                   int threads) noexcept nogil:
    """Gradient where mean and var are constants: dx = dy * weight / sqrt(var + eps).

    p: dy, x, mean, var, weight, dx, dweight, dbias, workspace.  d: m, c.  s: eps.
    All overwritten; dx may be dy.
    """
    backward(p, d, s, threads, 0, 1)


cdef void batch_norm_eval_relu_backward(char **p, const int64_t *d, const double *s,
                                        int threads) noexcept nogil:
    """batch_norm_eval_backward with dy zero where batch_norm_apply(x) <= 0; all overwritten.

    p: dy, x, mean, var, weight, bias, dx, dweight, dbias, workspace.  d: m, c.  s: eps.
    dx may be dy.
    """
    backward(p, d, s, threads, 1, 1)


cdef void grad_input(char **p, const int64_t *d, const double *s, int threads,
                     int relu) noexcept nogil:
    cdef partition cut = divide(d[0], d[1])
    cdef gradient g
    cdef const float *dweight = <const float *> p[5 + relu]
    cdef const float *dbias = <const float *> p[6 + relu]
    cdef double *merged
    cdef int64_t j
    g.dy, g.x, g.mean = <const float *> p[0], <const float *> p[1], <const float *> p[2]
    g.var, g.weight = <const float *> p[3], <const float *> p[4]
    g.bias = <const float *> p[5] if relu else NULL
    g.dx = <float *> p[7 + relu]
    g.eps, g.constant = s[0], 0
    g.merged = merged = <double *> p[8 + relu]
    for j in range(cut.c):
        merged[j] = dbias[j]
        merged[cut.c + j] = dweight[j] * sqrt(g.var[j] + g.eps)
    spread_gradient(&cut, &g, threads)


cdef void batch_norm_grad_input(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """dx of batch_norm_backward, whose dweight and dbias are known; overwritten.

    p: dy, x, mean, var, weight, dweight, dbias, dx, workspace.  d: m, c.  s: eps.  dx may be dy.
    """
    grad_input(p, d, s, threads, 0)


cdef void batch_norm_relu_grad_input(char **p, const int64_t *d, const double *s,
                                     int threads) noexcept nogil:
    """dx of batch_norm_relu_backward, whose dweight and dbias are known; overwritten.

    p: dy, x, mean, var, weight, bias, dweight, dbias, dx, workspace.  d: m, c.  s: eps.
    dx may be dy.
    """
    grad_input(p, d, s, threads, 1)


def _backward_extents(vectors):
    """Extents of a gradient that reads `vectors` vectors of c values (mean, var, weight, bias)."""
    def extents(d, threads):
        m, c = d[:2]
        if m < 1 or c < 1:
            raise ValueError(f"batch norm needs at least one row and one channel, not [{m}, {c}]")
        cdef partition cut = divide(m, c)
        return ((4 * m * c,) * 2 + (4 * c,) * vectors + (4 * m * c, 4 * c, 4 * c)
                + (16 * c * (partial_count(&cut) + 1),))
    return extents


def _grad_input_extents(vectors):
    """Extents of a dx that reads `vectors` vectors of c values, dweight and dbias among them."""
    def extents(d, threads):
        m, c = d[:2]
        if m < 1 or c < 1:
            raise ValueError(f"batch norm needs at least one row and one channel, not [{m}, {c}]")
        return (4 * m * c,) * 2 + (4 * c,) * vectors + (4 * m * c, 16 * c)
    return extents


def _backward_loads(d, threads):
    """Elements that each thread is dealt in both passes."""
    return [sums + gradients for sums, gradients in zip(
        stats_loads(d, threads), apply_loads(d, threads), strict=True)]


KERNELS = {
    "batch_norm_grad_input": (
        <uintptr_t> &batch_norm_grad_input, _grad_input_extents(5), apply_loads),
    "batch_norm_relu_grad_input": (
        <uintptr_t> &batch_norm_relu_grad_input, _grad_input_extents(6), apply_loads),
    "batch_norm_backward": (
        <uintptr_t> &batch_norm_backward, _backward_extents(3), _backward_loads),
    "batch_norm_relu_backward": (
        <uintptr_t> &batch_norm_relu_backward, _backward_extents(4), _backward_loads),
    "batch_norm_eval_backward": (
        <uintptr_t> &batch_norm_eval_backward, _backward_extents(3), _backward_loads),
    "batch_norm_eval_relu_backward": (
        <uintptr_t> &batch_norm_eval_relu_backward, _backward_extents(4), _backward_loads),
}

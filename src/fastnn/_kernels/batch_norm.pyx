"""Batch norm over x[m, c]: statistics, apply, gradients, and the running statistics.

Rows are cut into chunks by the shape alone; what chunks sum is merged in their order. Channel
counts below NARROW would leave lanes empty, so REPEAT rows are taken as one row of REPEAT * c
columns; the rows left over (m % REPEAT) are one chunk more.
"""

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.dispatch cimport norm_columns, simd

cdef enum:
    WIDTH = 1024        # columns per block, as NORM_WIDTH of simd/table.h
    NARROW = 64
    REPEAT = 16
    CHUNK = 32768       # floats per chunk, at least
    CHUNK_ROWS = 32
    CHUNKS = 64         # per call, at most
    MERGE = 64          # channels that one task merges
    SERIAL = 32768      # floats that are not worth a team of threads

ctypedef struct partition:
    int64_t m, c, repeat, width, rows, chunk_rows, chunks, left


cdef partition divide(int64_t m, int64_t c) noexcept nogil:
    cdef partition cut
    cut.m = m
    cut.c = c
    cut.repeat = REPEAT if c < NARROW else 1
    cut.width = c * cut.repeat
    cut.rows = m // cut.repeat
    cut.chunk_rows = max(CHUNK_ROWS, (CHUNK + cut.width - 1) // cut.width,
                         (cut.rows + CHUNKS - 1) // CHUNKS)
    cut.chunks = (cut.rows + cut.chunk_rows - 1) // cut.chunk_rows
    cut.left = m - cut.rows * cut.repeat
    return cut


cdef int64_t chunk_length(const partition *cut, int64_t chunk) noexcept nogil:
    return min(cut.chunk_rows, cut.rows - chunk * cut.chunk_rows)


cdef int64_t blocks(int64_t width) noexcept nogil:
    return (width + WIDTH - 1) // WIDTH


cdef int64_t partial_count(const partition *cut) noexcept nogil:
    """Partial results of c values: one per chunk and repeat, and one of the rows left over."""
    return cut.chunks * cut.repeat + (cut.left > 0)


cdef void spread(int64_t width, int64_t c, int64_t first, const float *values,
                 float *columns) noexcept nogil:
    """columns[width]: the values of channels first, first + 1, ..., again from 0 after c."""
    cdef int64_t j
    for j in range(min(width, c)):
        columns[j] = values[first + j]
    for j in range(c, width):
        columns[j] = columns[j - c]


cdef void scale_columns(int64_t width, int64_t c, int64_t first, const float *var,
                        const float *weight, double eps, float *columns) noexcept nogil:
    cdef int64_t j
    for j in range(min(width, c)):
        columns[j] = <float> (weight[first + j] / sqrt(var[first + j] + eps))
    for j in range(c, width):
        columns[j] = columns[j - c]


# ---- statistics ----

cdef void merge_moments(const partition *cut, const double *partials, int64_t first, int64_t end,
                        float *mean, float *var) noexcept nogil:
    """Merge the partial means and squares of channels first..end, in order."""
    cdef double middle[MERGE]
    cdef double square[MERGE]
    cdef double delta, share, done = 0, n
    cdef int64_t c = cut.c, chunk, part, j, count = partial_count(cut)
    cdef const double *means
    cdef const double *squares
    for part in range(count):
        chunk = part // cut.repeat
        n = chunk_length(cut, chunk) if chunk < cut.chunks else cut.left
        means = partials + 2 * chunk * cut.width + (part % cut.repeat) * c
        squares = means + (cut.width if chunk < cut.chunks else c)
        share = n / (done + n)
        for j in range(first, end):
            if part == 0:
                middle[j - first] = means[j]
                square[j - first] = squares[j]
            else:
                delta = means[j] - middle[j - first]
                middle[j - first] += delta * share
                square[j - first] += squares[j] + delta * delta * share * done
        done += n
    for j in range(first, end):
        mean[j] = <float> middle[j - first]
        var[j] = <float> (square[j - first] / cut.m)


cdef void batch_norm_stats(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """mean[c], var[c] = mean and biased variance of the columns of x[m, c], overwritten.

    p: x, mean, var, workspace.  d: m, c.  Exact for mean >> std: each group of cached rows is
    taken about its own mean, and groups merge as in Chan, Golub and LeVeque (1979).
    """
    cdef partition cut = divide(d[0], d[1])
    cdef const float *x = <const float *> p[0]
    cdef float *mean = <float *> p[1]
    cdef float *var = <float *> p[2]
    cdef double *partials = <double *> p[3]
    cdef int64_t task, tasks = (cut.c + MERGE - 1) // MERGE
    cdef bint team = threads > 1 and cut.m * cut.c > SERIAL
    for task in prange(cut.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        stats_chunk(&cut, x, task, partials)
    if cut.left:
        simd.norm.moments(cut.left, cut.c, cut.c, x + cut.rows * cut.width,
                          partials + 2 * cut.chunks * cut.width,
                          partials + 2 * cut.chunks * cut.width + cut.c)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=team and tasks > 1):
        merge_moments(&cut, partials, task * MERGE, min(cut.c, (task + 1) * MERGE), mean, var)


cdef void stats_chunk(const partition *cut, const float *x, int64_t chunk,
                      double *partials) noexcept nogil:
    cdef int64_t block, first, row = chunk * cut.chunk_rows
    cdef double *mean = partials + 2 * chunk * cut.width
    for block in range(blocks(cut.width)):
        first = block * WIDTH
        simd.norm.moments(chunk_length(cut, chunk), min(WIDTH, cut.width - first), cut.width,
                          x + row * cut.width + first, mean + first, mean + cut.width + first)


# ---- apply ----

cdef void apply_block(int64_t rows, int64_t width, int64_t c, const float *x, char **p,
                      double eps, float *y, int relu) noexcept nogil:
    """Rows of `width` columns, whose channel is column % c."""
    cdef float mean[WIDTH]
    cdef float scale[WIDTH]
    cdef float bias[WIDTH]
    cdef norm_columns v
    cdef int64_t block, first, part
    v.mean, v.scale, v.bias = mean, scale, bias
    for block in range(blocks(width)):
        first = block * WIDTH
        part = min(WIDTH, width - first)
        spread(part, c, first, <const float *> p[1], mean)
        scale_columns(part, c, first, <const float *> p[2], <const float *> p[3], eps, scale)
        spread(part, c, first, <const float *> p[4], bias)
        simd.norm.apply(rows, part, width, x + first, &v, y + first, relu)


cdef void apply(char **p, const int64_t *d, const double *s, int threads,
                int relu) noexcept nogil:
    cdef partition cut = divide(d[0], d[1])
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[5]
    cdef int64_t chunk, at
    for chunk in prange(cut.chunks, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and cut.m * cut.c > SERIAL):
        at = chunk * cut.chunk_rows * cut.width
        apply_block(chunk_length(&cut, chunk), cut.width, cut.c, x + at, p, s[0], y + at, relu)
    if cut.left:
        at = cut.rows * cut.width
        apply_block(cut.left, cut.c, cut.c, x + at, p, s[0], y + at, relu)


cdef void batch_norm_apply(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[m, c] = (x - mean) / sqrt(var + eps) * weight + bias, overwritten.

    p: x, mean, var, weight, bias, y.  d: m, c.  s: eps.  y may be x.
    """
    apply(p, d, s, threads, 0)


cdef void batch_norm_apply_relu(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """y[m, c] = max(0, (x - mean) / sqrt(var + eps) * weight + bias), overwritten.

    p: x, mean, var, weight, bias, y.  d: m, c.  s: eps.  y may be x.
    """
    apply(p, d, s, threads, 1)


# ---- gradient ----

# The pointers of one gradient, and what it is of.
ctypedef struct gradient:
    const float *dy
    const float *x
    const float *mean
    const float *var
    const float *weight
    const float *bias   # NULL without ReLU
    float *dx
    double *partials    # sums of chunks, then the merged sums
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
        simd.norm.sums(rows, part, width, g.dy + at + first, g.x + at + first, &v,
                       sums + first, sums + width + first, g.bias != NULL)


cdef void merge_sums(const partition *cut, const gradient *g, int64_t first, int64_t end,
                     float *dweight, float *dbias) noexcept nogil:
    """Add the partial sums of channels first..end, in order; they stay after the partials."""
    cdef int64_t part, chunk, j, c = cut.c, count = partial_count(cut)
    cdef double *merged = g.partials + 2 * count * c
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
    cdef const double *merged = g.partials + 2 * partial_count(cut) * c
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
        simd.norm.backward(rows, part, width, g.dy + at + first, g.x + at + first, &v,
                           g.dx + at + first, g.bias != NULL, g.constant)


cdef void backward(char **p, const int64_t *d, const double *s, int threads, int relu,
                   int constant) noexcept nogil:
    cdef partition cut = divide(d[0], d[1])
    cdef gradient g
    cdef int64_t task, tasks = (cut.c + MERGE - 1) // MERGE, end = cut.rows * cut.width
    cdef float *dweight = <float *> p[6 + relu]
    cdef float *dbias = <float *> p[7 + relu]
    cdef bint team = threads > 1 and cut.m * cut.c > SERIAL
    g.dy, g.x, g.mean = <const float *> p[0], <const float *> p[1], <const float *> p[2]
    g.var, g.weight = <const float *> p[3], <const float *> p[4]
    g.bias = <const float *> p[5] if relu else NULL
    g.dx = <float *> p[5 + relu]
    g.partials = <double *> p[8 + relu]
    g.eps = s[0]
    g.constant = constant
    for task in prange(cut.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        sums_block(&g, chunk_length(&cut, task), cut.width, cut.c,
                   task * cut.chunk_rows * cut.width, g.partials + 2 * task * cut.width)
    if cut.left:
        sums_block(&g, cut.left, cut.c, cut.c, end, g.partials + 2 * cut.chunks * cut.width)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=team and tasks > 1):
        merge_sums(&cut, &g, task * MERGE, min(cut.c, (task + 1) * MERGE), dweight, dbias)
    for task in prange(cut.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        gradient_block(&cut, &g, chunk_length(&cut, task), cut.width,
                       task * cut.chunk_rows * cut.width)
    if cut.left:
        gradient_block(&cut, &g, cut.left, cut.c, end)


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


# ---- running statistics ----

cdef void batch_norm_update(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """running += (batch - running) * momentum, with the unbiased variance; num_batches += 1.

    p: mean, var, running_mean, running_var, num_batches (int64).  d: m, c.  s: momentum, or a
    negative number for the cumulative average 1 / (num_batches + 1).  Changes the running ones.
    """
    cdef const float *mean = <const float *> p[0]
    cdef const float *var = <const float *> p[1]
    cdef float *running_mean = <float *> p[2]
    cdef float *running_var = <float *> p[3]
    cdef int64_t *num_batches = <int64_t *> p[4]
    cdef double unbiased = <double> d[0] / <double> (d[0] - 1)
    cdef double momentum
    cdef int64_t j
    num_batches[0] += 1
    momentum = s[0] if s[0] >= 0 else 1.0 / num_batches[0]
    for j in range(d[1]):
        running_mean[j] = <float> (momentum * mean[j] + (1 - momentum) * running_mean[j])
        running_var[j] = <float> (momentum * (var[j] * unbiased) + (1 - momentum) * running_var[j])


def _shape(d):
    m, c = d[:2]
    if m < 1 or c < 1:
        raise ValueError(f"batch norm needs at least one row and one channel, not [{m}, {c}]")
    return m, c


def _stats_extents(d, threads):
    m, c = _shape(d)
    cdef partition cut = divide(m, c)
    return 4 * m * c, 4 * c, 4 * c, 16 * c * partial_count(&cut)


def _apply_extents(d, threads):
    m, c = _shape(d)
    return 4 * m * c, 4 * c, 4 * c, 4 * c, 4 * c, 4 * m * c


def _backward_extents(vectors):
    """Extents of a gradient that reads `vectors` vectors of c values (mean, var, weight, bias)."""
    def extents(d, threads):
        m, c = _shape(d)
        cdef partition cut = divide(m, c)
        return ((4 * m * c,) * 2 + (4 * c,) * vectors + (4 * m * c, 4 * c, 4 * c)
                + (16 * c * (partial_count(&cut) + 1),))
    return extents


def _update_extents(d, threads):
    m, c = _shape(d)
    if m < 2:
        raise ValueError("running_var needs more than one value per channel, as var * m / (m - 1)")
    return (4 * c,) * 4 + (8,)


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {
    "batch_norm_stats": (<uintptr_t> &batch_norm_stats, _stats_extents),
    "batch_norm_apply": (<uintptr_t> &batch_norm_apply, _apply_extents),
    "batch_norm_apply_relu": (<uintptr_t> &batch_norm_apply_relu, _apply_extents),
    "batch_norm_backward": (<uintptr_t> &batch_norm_backward, _backward_extents(3)),
    "batch_norm_relu_backward": (<uintptr_t> &batch_norm_relu_backward, _backward_extents(4)),
    "batch_norm_eval_backward": (<uintptr_t> &batch_norm_eval_backward, _backward_extents(3)),
    "batch_norm_eval_relu_backward": (
        <uintptr_t> &batch_norm_eval_relu_backward, _backward_extents(4)),
    "batch_norm_update": (<uintptr_t> &batch_norm_update, _update_extents),
}

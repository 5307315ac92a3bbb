"""Batch norm over x[m, c]: statistics, their application, and the running statistics.

Rows are cut into chunks by the shape only, and the chunks' sums are merged in their order. Fewer
than NARROW channels would leave lanes empty, so REPEAT rows count as one row of REPEAT * c columns;
the remaining rows (m % REPEAT) are one more chunk.
"""

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.norm.table cimport norm_columns, simd

from fastnn._kernels.chunks import dealt

cdef enum:
    NARROW = 64
    REPEAT = 16
    CHUNK = 32768       # floats per chunk, at least
    CHUNK_ROWS = 32
    CHUNKS = 64         # per call, at most


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


cdef bint by_team(const partition *cut, int threads) noexcept nogil:
    return threads > 1 and cut.m * cut.c > SERIAL


cdef int64_t blocks(int64_t width) noexcept nogil:
    return (width + WIDTH - 1) // WIDTH


cdef int64_t partial_count(const partition *cut) noexcept nogil:
    """Partial results of c values: one per chunk and repeat, and one of the remaining rows."""
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
    cdef bint team = by_team(&cut, threads)
    # from the end, which was written last and may still be in a cache; `apply` then starts where
    # this ends
    for task in prange(cut.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        stats_chunk(&cut, x, cut.chunks - 1 - task, partials)
    if cut.left:
        simd.moments(cut.left, cut.c, cut.c, x + cut.rows * cut.width,
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
        simd.moments(chunk_length(cut, chunk), min(WIDTH, cut.width - first), cut.width,
                     x + row * cut.width + first, mean + first, mean + cut.width + first)


# ---- apply ----

# A norm of x[m, c]: vectors of c values.
cdef struct Norm:
    const float *x
    const float *mean
    const float *var
    const float *weight
    const float *bias
    double eps


# What is applied: a norm, and what is added to it, through a norm of its own or as it is, or NULL.
cdef struct Application:
    Norm norm
    const Norm *other
    const float *shortcut
    float *y
    int relu


# Room for the vectors of a block of columns.
cdef struct Columns:
    float mean[WIDTH]
    float scale[WIDTH]
    float bias[WIDTH]


cdef Norm read_norm(char **p, double eps) noexcept nogil:
    cdef Norm norm
    norm.x, norm.mean = <const float *> p[0], <const float *> p[1]
    norm.var, norm.weight = <const float *> p[2], <const float *> p[3]
    norm.bias, norm.eps = <const float *> p[4], eps
    return norm


cdef norm_columns columns_of(const Norm *norm, int64_t width, int64_t c, int64_t first,
                             Columns *room) noexcept nogil:
    cdef norm_columns v
    v.mean, v.scale, v.bias = room.mean, room.scale, room.bias
    v.slope = v.offset = NULL
    spread(width, c, first, norm.mean, room.mean)
    scale_columns(width, c, first, norm.var, norm.weight, norm.eps, room.scale)
    spread(width, c, first, norm.bias, room.bias)
    return v


cdef void apply_block(const Application *g, int64_t rows, int64_t width, int64_t c,
                      int64_t at) noexcept nogil:
    """Rows of `width` columns, whose channel is column % c."""
    cdef Columns room, other_room
    cdef norm_columns v, w
    cdef const float *x
    cdef float *y
    cdef int64_t block, first, part
    for block in range(blocks(width)):
        first = block * WIDTH
        part = min(WIDTH, width - first)
        x, y = g.norm.x + at + first, g.y + at + first
        v = columns_of(&g.norm, part, c, first, &room)
        if g.other != NULL:
            w = columns_of(g.other, part, c, first, &other_room)
            simd.apply_both_relu(rows, part, width, x, &v, g.other.x + at + first, &w, y)
        elif g.shortcut != NULL:
            simd.apply_add_relu(rows, part, width, x, g.shortcut + at + first, &v, y)
        else:
            simd.apply(rows, part, width, x, &v, y, g.relu)


cdef Application application_of(char **p, const double *s) noexcept nogil:
    """The norm by itself, into the next pointer."""
    cdef Application g
    g.norm = read_norm(p, s[0])
    g.other = NULL
    g.shortcut = NULL
    g.y = <float *> p[5]
    g.relu = 0
    return g


cdef void apply(const Application *g, const int64_t *d, int threads) noexcept nogil:
    cdef partition cut = divide(d[0], d[1])
    cdef int64_t chunk
    for chunk in prange(cut.chunks, num_threads=threads, schedule="static",
                        use_threads_if=by_team(&cut, threads)):
        apply_block(g, chunk_length(&cut, chunk), cut.width, cut.c,
                    chunk * cut.chunk_rows * cut.width)
    if cut.left:
        apply_block(g, cut.left, cut.c, cut.c, cut.rows * cut.width)


cdef void batch_norm_apply(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[m, c] = (x - mean) / sqrt(var + eps) * weight + bias, overwritten.

    p: x, mean, var, weight, bias, y.  d: m, c.  s: eps.  y may be x.
    """
    cdef Application g = application_of(p, s)
    apply(&g, d, threads)


cdef void batch_norm_apply_relu(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """y[m, c] = max(0, (x - mean) / sqrt(var + eps) * weight + bias), overwritten.

    p: x, mean, var, weight, bias, y.  d: m, c.  s: eps.  y may be x.
    """
    cdef Application g = application_of(p, s)
    g.relu = 1
    apply(&g, d, threads)


cdef void batch_norm_apply_add_relu(char **p, const int64_t *d, const double *s,
                                    int threads) noexcept nogil:
    """y[m, c] = max(0, (x - mean) / sqrt(var + eps) * weight + bias + shortcut), overwritten.

    p: x, mean, var, weight, bias, shortcut[m, c], y.  d: m, c.  s: eps.  y may be x or shortcut.
    """
    cdef Application g = application_of(p, s)
    g.shortcut, g.y = <const float *> p[5], <float *> p[6]
    apply(&g, d, threads)


cdef void batch_norm_apply_both_relu(char **p, const int64_t *d, const double *s,
                                     int threads) noexcept nogil:
    """y[m, c] = max(0, norm(x) + norm(z)), each with vectors of its own; overwritten.

    p: x[m, c], mean, var, weight, bias, z[m, c], mean, var, weight, bias, y.  d: m, c.  s: eps of
    each.  y may be x or z.
    """
    cdef Application g = application_of(p, s)
    cdef Norm other = read_norm(p + 5, s[1])
    g.other, g.y = &other, <float *> p[10]
    apply(&g, d, threads)


# ---- running statistics ----

cdef void batch_norm_update(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """running += (batch - running) * momentum, with the unbiased variance; num_batches += 1.

    p: mean, var, running_mean, running_var, num_batches (int64).  d: m, c, cumulative (1: the
    average of all batches, with momentum 1 / (num_batches + 1)).  s: momentum.  Changes the
    running ones.
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
    momentum = 1.0 / num_batches[0] if d[2] else s[0]
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


def _apply_add_extents(d, threads):
    return *_apply_extents(d, threads), 4 * d[0] * d[1]


def _apply_both_extents(d, threads):
    return *_apply_extents(d, threads)[:5], *_apply_extents(d, threads)


def _update_extents(d, threads):
    m, c = _shape(d)
    if d[2] not in (0, 1):
        raise ValueError(f"cumulative must be 0 or 1, not {d[2]}")
    if m < 2:
        raise ValueError("running_var needs more than one value per channel, as var * m / (m - 1)")
    return (4 * c,) * 4 + (8,)


def _loads(from_end):
    """Elements of x[m, c] that each thread is dealt in a pass; what is left is for the first."""
    def loads(d, threads):
        m, c = _shape(d)
        cdef partition cut = divide(m, c)
        sizes = [chunk_length(&cut, chunk) * cut.width for chunk in range(cut.chunks)]
        found = dealt(sizes[::-1] if from_end else sizes, threads, alone=not by_team(&cut, threads))
        found[0] += cut.left * cut.c
        return found
    return loads


stats_loads, apply_loads = _loads(True), _loads(False)
# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "batch_norm_stats": (<uintptr_t> &batch_norm_stats, _stats_extents, stats_loads),
    "batch_norm_apply": (<uintptr_t> &batch_norm_apply, _apply_extents, apply_loads),
    "batch_norm_apply_relu": (<uintptr_t> &batch_norm_apply_relu, _apply_extents, apply_loads),
    "batch_norm_apply_add_relu": (
        <uintptr_t> &batch_norm_apply_add_relu, _apply_add_extents, apply_loads),
    "batch_norm_apply_both_relu": (
        <uintptr_t> &batch_norm_apply_both_relu, _apply_both_extents, apply_loads),
    "batch_norm_update": (<uintptr_t> &batch_norm_update, _update_extents),
}

"""Layer norm and RMS norm over the rows of x[rows, n], and their gradients.

Rows are cut into chunks by the shape only; what a gradient sums over rows is added within chunks,
then over chunks in their order.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport chunk_size, count_chunks
from fastnn._kernels.dispatch cimport LEVEL

from fastnn._kernels.chunks import dealt

cdef extern from "norm/simd/layer_norm.h":
    ctypedef struct layer_norm_table:
        void (*layer_norm)(int64_t rows, int64_t n, const float *x, const float *weight,
                           const float *bias, double eps, float *y, float *mean,
                           float *rstd) noexcept nogil
        void (*rms_norm)(int64_t rows, int64_t n, const float *x, const float *weight, double eps,
                         float *y, float *rstd) noexcept nogil
        void (*layer_norm_backward)(int64_t rows, int64_t n, const float *dy, const float *x,
                                    const float *mean, const float *rstd, const float *weight,
                                    float *dx, double *sums, float *room) noexcept nogil
        void (*rms_norm_backward)(int64_t rows, int64_t n, const float *dy, const float *x,
                                  const float *rstd, const float *weight, float *dx, double *sums,
                                  float *room) noexcept nogil
    const layer_norm_table *layer_norm_at(int level) noexcept nogil

cdef const layer_norm_table *simd = layer_norm_at(LEVEL)

cdef enum:
    FORWARD = 8192      # floats per chunk of the forward pass, about
    BACKWARD = 32768    # floats per chunk of a gradient, at least
    BACKWARD_ROWS = 16  # and rows, as each chunk has sums of its own
    BACKWARD_CHUNKS = 64
    COLUMNS = 256       # whose sums one task adds
    SERIAL = 16384      # values that are not worth a team of threads


cdef bint by_team(int64_t rows, int64_t n, int threads) noexcept nogil:
    return threads > 1 and rows * n > SERIAL


cdef int64_t forward_rows(int64_t n) noexcept nogil:
    """Rows in a chunk of the forward pass."""
    return max(FORWARD // n, 1)


cdef int64_t backward_rows(int64_t rows, int64_t n) noexcept nogil:
    """Rows in a chunk of a gradient."""
    return max((BACKWARD + n - 1) // n, (rows + BACKWARD_CHUNKS - 1) // BACKWARD_CHUNKS,
               BACKWARD_ROWS)


cdef void layer_norm_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = (x - mean) * rstd * weight + bias along each row; all overwritten.

    mean = the row's mean, rstd = 1 / sqrt(its biased variance + eps).
    p: x[rows, n], weight[n], bias[n], y, mean[rows], rstd[rows].  d: rows, n, affine (0: neither
    weight nor bias are read).  s: eps.  y may be x.
    """
    cdef int64_t rows = d[0], n = d[1], each = forward_rows(n), chunk, first
    cdef const float *weight = <const float *> p[1] if d[2] else NULL
    cdef const float *bias = <const float *> p[2] if d[2] else NULL
    for chunk in prange(count_chunks(rows, each), num_threads=threads, schedule="static",
                        use_threads_if=by_team(rows, n, threads)):
        first = chunk * each
        simd.layer_norm(chunk_size(rows, each, chunk), n, <const float *> p[0] + first * n, weight,
                        bias, s[0], <float *> p[3] + first * n, <float *> p[4] + first,
                        <float *> p[5] + first)


cdef void rms_norm_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = x * rstd * weight along each row, rstd = 1 / sqrt(mean(x^2) + eps); all overwritten.

    p: x[rows, n], weight[n], y, rstd[rows].  d: rows, n, affine (0: the weight is not read).
    s: eps.  y may be x.
    """
    cdef int64_t rows = d[0], n = d[1], each = forward_rows(n), chunk, first
    cdef const float *weight = <const float *> p[1] if d[2] else NULL
    for chunk in prange(count_chunks(rows, each), num_threads=threads, schedule="static",
                        use_threads_if=by_team(rows, n, threads)):
        first = chunk * each
        simd.rms_norm(chunk_size(rows, each, chunk), n, <const float *> p[0] + first * n, weight,
                      s[0], <float *> p[2] + first * n, <float *> p[3] + first)


# ---- gradients ----

# One gradient: its pointers, and how its rows are cut.
ctypedef struct gradient:
    const float *dy
    const float *x
    const float *mean       # NULL for RMS norm
    const float *rstd
    const float *weight     # NULL: nothing is summed over rows
    float *dx
    double *sums            # of each chunk, `values` of them
    float *room             # for each chunk as many floats
    int64_t rows, n, each, chunks, values


cdef gradient describe(const int64_t *d, int64_t vectors, char *workspace) noexcept nogil:
    """A gradient with `vectors` sums of each column."""
    cdef gradient g
    g.rows, g.n = d[0], d[1]
    g.each = backward_rows(g.rows, g.n)
    g.chunks = count_chunks(g.rows, g.each)
    g.values = vectors * g.n if d[2] else 0
    g.sums = <double *> workspace
    g.room = <float *> (g.sums + g.chunks * g.values)
    return g


cdef void run_chunk(const gradient *g, int64_t chunk) noexcept nogil:
    cdef int64_t first = chunk * g.each, at = first * g.n
    cdef int64_t rows = chunk_size(g.rows, g.each, chunk)
    cdef double *sums = g.sums + chunk * g.values
    cdef float *room = g.room + chunk * g.values
    if g.mean != NULL:
        simd.layer_norm_backward(rows, g.n, g.dy + at, g.x + at, g.mean + first, g.rstd + first,
                                 g.weight, g.dx + at, sums, room)
    else:
        simd.rms_norm_backward(rows, g.n, g.dy + at, g.x + at, g.rstd + first, g.weight, g.dx + at,
                               sums, room)


cdef void add_chunks(const gradient *g, int64_t first, int64_t count,
                     float *result) noexcept nogil:
    """result[count] = the sums from `first` on, added over all chunks in their order."""
    cdef double total[COLUMNS]
    cdef int64_t chunk, j
    for j in range(count):
        total[j] = 0
    for chunk in range(g.chunks):
        for j in range(count):
            total[j] += g.sums[chunk * g.values + first + j]
    for j in range(count):
        result[j] = <float> total[j]


cdef void add_columns(const gradient *g, int64_t task, float *dweight,
                      float *dbias) noexcept nogil:
    cdef int64_t first = task * COLUMNS, count = chunk_size(g.n, COLUMNS, task)
    add_chunks(g, first, count, dweight + first)
    if g.mean != NULL:
        add_chunks(g, g.n + first, count, dbias + first)


cdef void run(const gradient *g, float *dweight, float *dbias, int threads) noexcept nogil:
    cdef bint team = by_team(g.rows, g.n, threads)
    cdef int64_t chunk, task, tasks = count_chunks(g.n, COLUMNS) if g.values else 0
    for chunk in prange(g.chunks, num_threads=threads, schedule="static", use_threads_if=team):
        run_chunk(g, chunk)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=team and tasks > 1):
        add_columns(g, task, dweight, dbias)


cdef void layer_norm_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx, dweight[n], dbias[n] of layer_norm_forward, overwritten.

    dx = rstd * (g - mean(g) - z * mean(g * z)) with z = (x - mean) * rstd and g = dy * weight.
    p: dy[rows, n], x, mean[rows], rstd[rows], weight[n], dx, dweight, dbias, workspace.
    d: rows, n, affine (0: no weight is read, dweight and dbias are not written).  dx may be dy.
    """
    cdef gradient g = describe(d, 2, p[8])
    g.dy, g.x, g.mean = <const float *> p[0], <const float *> p[1], <const float *> p[2]
    g.rstd, g.weight = <const float *> p[3], <const float *> p[4] if d[2] else NULL
    g.dx = <float *> p[5]
    run(&g, <float *> p[6], <float *> p[7], threads)


cdef void rms_norm_backward(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx, dweight[n] of rms_norm_forward, overwritten.

    dx = rstd * (g - z * mean(g * z)) with z = x * rstd and g = dy * weight.
    p: dy[rows, n], x, rstd[rows], weight[n], dx, dweight, workspace.  d: rows, n, affine (0: no
    weight is read, dweight is not written).  dx may be dy.
    """
    cdef gradient g = describe(d, 1, p[6])
    g.dy, g.x, g.mean = <const float *> p[0], <const float *> p[1], NULL
    g.rstd, g.weight = <const float *> p[2], <const float *> p[3] if d[2] else NULL
    g.dx = <float *> p[4]
    run(&g, <float *> p[5], NULL, threads)


def _shape(d):
    rows, n, affine = d
    if rows < 0 or n < 1 or affine not in (0, 1):
        raise ValueError(f"a norm of rows needs rows of a value or more, not {rows} of {n}, and "
                         f"affine 0 or 1, not {affine}")
    return 4 * rows * n, 4 * rows, 4 * n * affine


def _layer_norm_extents(d, threads):
    matrix, rows, vector = _shape(d)
    return matrix, vector, vector, matrix, rows, rows


def _rms_norm_extents(d, threads):
    matrix, rows, vector = _shape(d)
    return matrix, vector, matrix, rows


def _workspace(d, vectors):
    """Bytes: the sums of chunks in double, and in float while they are computed."""
    return 12 * count_chunks(d[0], backward_rows(d[0], d[1])) * vectors * d[1] * d[2]


def _layer_norm_backward_extents(d, threads):
    matrix, rows, vector = _shape(d)
    return matrix, matrix, rows, rows, vector, matrix, vector, vector, _workspace(d, 2)


def _rms_norm_backward_extents(d, threads):
    matrix, rows, vector = _shape(d)
    return matrix, matrix, rows, vector, matrix, vector, _workspace(d, 1)


def _loads(d, threads, each):
    """Values that each thread is dealt, in chunks of so many rows."""
    rows, n = d[:2]
    return dealt([n * chunk_size(rows, each, chunk) for chunk in range(count_chunks(rows, each))],
                 threads, alone=not by_team(rows, n, threads))


def _forward_loads(d, threads):
    return _loads(d, threads, forward_rows(d[1]))


def _backward_loads(d, threads):
    return _loads(d, threads, backward_rows(d[0], d[1]))


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "layer_norm_forward": (
        <uintptr_t> &layer_norm_forward, _layer_norm_extents, _forward_loads),
    "rms_norm_forward": (<uintptr_t> &rms_norm_forward, _rms_norm_extents, _forward_loads),
    "layer_norm_backward": (
        <uintptr_t> &layer_norm_backward, _layer_norm_backward_extents, _backward_loads),
    "rms_norm_backward": (
        <uintptr_t> &rms_norm_backward, _rms_norm_backward_extents, _backward_loads),
}

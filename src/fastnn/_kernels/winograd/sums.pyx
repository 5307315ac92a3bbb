"""Winograd's passes that add up, as they write, what a batch norm beside them needs.

Forward: the moments of each channel of y, for the norm that reads it. Input gradient: the sums of
the gradient of the norm whose output the convolution reads; at the seam of two residual blocks the
shortcut's gradient is added on the way. So none of these makes a pass over memory of its own. A
chunk of tiles has sums of its own, and they are merged in order: the same bits for any number of
threads. Sizes `d` are those of conv/direct.pyx.
"""

from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport Conv, sizes_bytes
from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.norm.batch_norm cimport MERGE, scale_columns
from fastnn._kernels.sizes cimport smaller, whole
from fastnn._kernels.winograd.passes cimport pass_bytes, run_pass
from fastnn._kernels.winograd.table cimport tile_grid
from fastnn._kernels.winograd.tiles cimport (
    CHUNK_TILES, GRADIENT, MOMENTS, SHORTCUT, Pass, pass_of, read_winograd)

from fastnn._kernels.winograd.passes import forward_loads, grad_input_loads


cdef int64_t chunks_of(const Pass *g) noexcept nogil:
    return (g.tiles + CHUNK_TILES - 1) // CHUNK_TILES


cdef int64_t sums_bytes(const Pass *g, int threads) noexcept nogil:
    """The pass's own workspace, the scales of the norm, and the sums of chunks."""
    return whole(pass_bytes(g, threads), 64) + 4 * whole(g.columns, LANES) * (
        1 + 3 * chunks_of(g))


cdef void place_sums(Pass *g, int threads) noexcept nogil:
    g.partials = (<float *> (g.workspace + whole(pass_bytes(g, threads), 64)) +
                  whole(g.columns, LANES))


cdef int64_t pixels_of(const tile_grid *g, int64_t first, int64_t count) noexcept nogil:
    """Pixels of an image that tiles [first, first + count) write."""
    cdef int64_t t, pixels = 0
    if g.height % 4 == 0 and g.width % 4 == 0:
        return 16 * count
    for t in range(first, first + count):
        pixels += (smaller(4, g.height - t // g.columns % g.rows * 4) *
                   smaller(4, g.width - t % g.columns * 4))
    return pixels


cdef void merge_moments(const Pass *g, int64_t first, int64_t end, float *mean,
                        float *var) noexcept nogil:
    """Channels first..end, as Chan, Golub and LeVeque (1979) merge means and squares."""
    cdef double middle[MERGE]
    cdef double square[MERGE]
    cdef double n, rest, delta, share, done = 0
    cdef int64_t chunk, j, width = whole(g.columns, LANES)
    cdef const float *part
    for j in range(end - first):
        middle[j] = square[j] = 0
    for chunk in range(chunks_of(g)):
        n = pixels_of(&g.target, chunk * CHUNK_TILES,
                      smaller(CHUNK_TILES, g.tiles - chunk * CHUNK_TILES))
        share = n / (done + n)
        part = g.partials + chunk * 3 * width + first
        for j in range(end - first):
            rest = part[width + j] / n
            delta = part[j] + rest - middle[j]
            middle[j] += delta * share
            square[j] += part[2 * width + j] - part[width + j] * rest + (
                delta * delta * share * done)
        done += n
    for j in range(end - first):
        mean[first + j] = <float> middle[j]
        var[first + j] = <float> (square[j] / done)


cdef void merge_gradients(const Pass *g, int64_t first, int64_t end, const float *var,
                          double eps, float *dweight, float *dbias) noexcept nogil:
    cdef double total[MERGE]
    cdef double product[MERGE]
    cdef int64_t chunk, j, width = whole(g.columns, LANES)
    cdef const float *part
    for j in range(end - first):
        total[j] = product[j] = 0
    for chunk in range(chunks_of(g)):
        part = g.partials + chunk * 3 * width + first
        for j in range(end - first):
            total[j] += part[width + j]
            product[j] += part[2 * width + j]
    for j in range(end - first):
        dbias[first + j] = <float> total[j]
        dweight[first + j] = <float> (product[j] / sqrt(var[first + j] + eps))


cdef void run_with_moments(Pass *g, float *mean, float *var, int threads) noexcept nogil:
    """The pass forward, and the moments of what it writes; a workspace of sums_bytes."""
    cdef int64_t task, tasks = (g.columns + MERGE - 1) // MERGE
    g.sums = MOMENTS
    place_sums(g, threads)
    run_pass(g, threads)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=threads > 1 and tasks > 1):
        merge_moments(g, task * MERGE, smaller(g.columns, (task + 1) * MERGE), mean, var)


cdef void winograd_forward_stats(char **p, const int64_t *d, const double *s,
                                 int threads) noexcept nogil:
    """winograd_forward, and mean[k], var[k] = mean and biased variance of y; overwritten.

    p: x[n,h,w,c], weight[k,3,3,c], bias[k], y[n,oh,ow,k], mean, var, workspace.
    y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Pass g = pass_of(v, False)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[3], p[6]
    g.bias = <float *> p[2] if v.has_bias else NULL
    run_with_moments(&g, <float *> p[4], <float *> p[5], threads)


cdef void run_with_gradients(Pass *g, const float *var, double eps, float *dweight, float *dbias,
                             int threads) noexcept nogil:
    """The pass to dx, and the gradients of the norm behind x; a workspace of sums_bytes."""
    cdef int64_t task, tasks = (g.columns + MERGE - 1) // MERGE
    run_pass(g, threads)
    for task in prange(tasks, num_threads=threads, schedule="static",
                       use_threads_if=threads > 1 and tasks > 1):
        merge_gradients(g, task * MERGE, smaller(g.columns, (task + 1) * MERGE), var, eps,
                        dweight, dbias)


cdef void winograd_grad_input_sums(char **p, const int64_t *d, const double *s,
                                   int threads) noexcept nogil:
    """winograd_grad_input, and the gradients of the norm whose output it is the gradient of.

    With g = dx where the ReLU behind the norm passed it (d's relu; else all of dx):
    dbias[c] = sum of g, dweight[c] = sum of g (x - mean) / sqrt(var + eps).  All overwritten.
    p: dy[n,oh,ow,k], filters[k,3,3,c], x[n,h,w,c], mean, var, weight, bias (read for a ReLU),
    dx[n,h,w,c], dweight, dbias, workspace.  s: eps.  dx overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Pass g = pass_of(v, True)
    cdef const float *var = <const float *> p[4]
    cdef float *scale
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[7], p[10]
    g.sums = GRADIENT
    g.norm_x, g.norm_mean = <const float *> p[2], <const float *> p[3]
    place_sums(&g, threads)
    if v.relu:
        scale = g.partials - whole(g.columns, LANES)
        scale_columns(g.columns, g.columns, 0, var, <const float *> p[5], s[0], scale)
        g.norm_scale, g.norm_bias = scale, <const float *> p[6]
    run_with_gradients(&g, var, s[0], <float *> p[8], <float *> p[9], threads)


cdef void winograd_grad_input_shortcut(char **p, const int64_t *d, const double *s,
                                       int threads) noexcept nogil:
    """Where a residual block begins and the one before it ends with a ReLU: its whole gradient.

    With g = winograd_grad_input + shortcut where out > 0, else 0:  dx = g, dbias[c] = sum of g,
    dweight[c] = sum of g (x - mean) / sqrt(var + eps): of the norm of x in front of the ReLU.
    p: dy[n,oh,ow,k], filters[k,3,3,c], shortcut[n,h,w,c], out[n,h,w,c], x[n,h,w,c], mean, var,
    dx[n,h,w,c], dweight, dbias, workspace.  s: eps.  All overwritten; dx may be shortcut.
    """
    cdef Pass g = pass_of(<const Conv *> d, True)
    g.x, g.weight, g.y, g.workspace = <float *> p[0], <float *> p[1], <float *> p[7], p[10]
    g.sums = SHORTCUT
    g.shortcut, g.gate = <const float *> p[2], <const float *> p[3]
    g.norm_x, g.norm_mean = <const float *> p[4], <const float *> p[5]
    place_sums(&g, threads)
    run_with_gradients(&g, <const float *> p[6], s[0], <float *> p[8], <float *> p[9], threads)


def _forward_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, False)
    return *sizes_bytes(&v), 4 * v.k, 4 * v.k, sums_bytes(&g, threads)


def _grad_input_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, True)
    x, weight, _, y = sizes_bytes(&v)
    bias = 4 * v.c if v.relu else 0
    return (y, weight, x, *(4 * v.c,) * 3, bias, x, 4 * v.c, 4 * v.c, sums_bytes(&g, threads))


def _shortcut_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = pass_of(&v, True)
    x, weight, _, y = sizes_bytes(&v)
    return y, weight, x, x, x, 4 * v.c, 4 * v.c, x, 4 * v.c, 4 * v.c, sums_bytes(&g, threads)


KERNELS = {
    "winograd_forward_stats": (
        <uintptr_t> &winograd_forward_stats, _forward_extents, forward_loads),
    "winograd_grad_input_sums": (
        <uintptr_t> &winograd_grad_input_sums, _grad_input_extents, grad_input_loads),
    "winograd_grad_input_shortcut": (
        <uintptr_t> &winograd_grad_input_shortcut, _shortcut_extents, grad_input_loads),
}

"""Winograd's forward passes over two concatenated inputs (by channels), which are never copied.

A tile of the whole is a tile of each input side by side. Either may be read through a batch norm
and a ReLU, as in normed.pyx. Sizes `d` are those of conv/direct.pyx, for the joined input;
then the channels of the first (whole vectors of any instruction set), and for each input whether
it is read through a norm.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport Conv, sizes_bytes
from fastnn._kernels.norm.batch_norm cimport scale_columns
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.sizes cimport whole
from fastnn._kernels.winograd.passes cimport pass_bytes, run_pass
from fastnn._kernels.winograd.sums cimport run_with_moments, sums_bytes
from fastnn._kernels.winograd.tiles cimport Pass, pass_of, read_winograd

from fastnn._kernels.winograd.passes import forward_loads

cdef enum:
    FIRST = 18       # where d has the channels of the first input
    NORMED = 19      # and whether each is read through a norm
    INPUT = 5        # pointers of each input: x, mean, var, weight, bias
    VECTOR = 16      # channels of the widest vector

# A pass with the norms that it reads through.
cdef struct Joined:
    Pass g
    norm_columns norm, rest_norm


cdef int64_t scales_bytes(const int64_t *d) noexcept nogil:
    """At the start of each workspace: weight / sqrt(var + eps) of each channel."""
    return whole(4 * (<const Conv *> d).c, 64)


cdef norm_columns norm_of(int64_t channels, char **p, double eps, float *scale) noexcept nogil:
    """The norm whose mean, var, weight and bias are p[1] to p[4]."""
    cdef norm_columns norm
    norm.mean, norm.bias, norm.scale = <float *> p[1], <float *> p[4], scale
    norm.slope = norm.offset = NULL
    scale_columns(channels, channels, 0, <const float *> p[2], <const float *> p[3], eps, scale)
    return norm


cdef void join(char **p, const int64_t *d, const double *s, char *workspace,
               Joined *job) noexcept nogil:
    """The pass over p[0] and p[INPUT], in a workspace that begins with the norms' scales."""
    cdef const Conv *v = <const Conv *> d
    cdef float *scale = <float *> workspace
    job.g = pass_of(v, False)
    job.g.joined = d[FIRST]
    job.g.x, job.g.rest = <float *> p[0], <float *> p[INPUT]
    job.g.weight, job.g.y = <float *> p[2 * INPUT], <float *> p[2 * INPUT + 2]
    job.g.bias = <float *> p[2 * INPUT + 1] if v.has_bias else NULL
    job.g.workspace = workspace + scales_bytes(d)
    if d[NORMED]:
        job.norm = norm_of(d[FIRST], p, s[0], scale)
        job.g.norm = &job.norm
    if d[NORMED + 1]:
        job.rest_norm = norm_of(v.c - d[FIRST], p + INPUT, s[1], scale + d[FIRST])
        job.g.rest_norm = &job.rest_norm


cdef void winograd_forward_joined(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """winograd_forward of two inputs side by side, each as it is or as max(0, batch_norm(x)).

    p: x[n,h,w,a], mean, var, weight, bias of its norm (not read without one); the same of
    x[n,h,w,c-a]; filters[k,3,3,c], bias[k], y[n,oh,ow,k], workspace.  s: eps of both norms.
    Overwritten; y overlaps nothing.
    """
    cdef Joined job
    join(p, d, s, p[2 * INPUT + 3], &job)
    run_pass(&job.g, threads)


cdef void winograd_forward_joined_stats(char **p, const int64_t *d, const double *s,
                                        int threads) noexcept nogil:
    """winograd_forward_joined, and mean[k], var[k] of y as winograd_forward_stats; overwritten.

    p: as winograd_forward_joined to y, then mean, var, workspace.
    """
    cdef Joined job
    join(p, d, s, p[2 * INPUT + 5], &job)
    run_with_moments(&job.g, <float *> p[2 * INPUT + 3], <float *> p[2 * INPUT + 4], threads)


def _extents(stats):
    """Extents of the pass; stats: with the moments of y."""
    def extents(d, threads):
        cdef Conv v = read_winograd(d[:FIRST])
        cdef Pass g = pass_of(&v, False)
        first = d[FIRST]
        if not 0 < first < v.c or first % VECTOR:
            raise ValueError(f"the first of {v.c} joined channels must be a multiple of {VECTOR}, "
                             f"not {first}")
        inputs = []
        for channels, through in zip((first, v.c - first), d[NORMED:], strict=True):
            inputs += [4 * v.n * v.h * v.w * channels, *(4 * channels * bool(through),) * 4]
        _, weight, bias, y = sizes_bytes(&v)
        scratch = sums_bytes(&g, threads) if stats else pass_bytes(&g, threads)
        return (*inputs, weight, bias, y, *(4 * v.k,) * (2 * stats),
                whole(4 * v.c, 64) + scratch)
    return extents


def _loads(d, threads):
    return forward_loads(d[:FIRST], threads)


KERNELS = {
    "winograd_forward_joined": (
        <uintptr_t> &winograd_forward_joined, _extents(False), _loads),
    "winograd_forward_joined_stats": (
        <uintptr_t> &winograd_forward_joined_stats, _extents(True), _loads),
}

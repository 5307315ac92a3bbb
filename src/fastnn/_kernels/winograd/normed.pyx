"""Winograd's passes that read x through a batch norm and a ReLU: max(0, norm(x)) is never stored.

Each value that is read has the bits of batch_norm_apply_relu; padding is zero behind the ReLU.
Sizes `d` are those of conv/direct.pyx.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport Conv, sizes_bytes
from fastnn._kernels.norm.batch_norm cimport scale_columns
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.sizes cimport whole
from fastnn._kernels.winograd.passes cimport packed_bytes, packed_pass, pass_bytes, run_pass
from fastnn._kernels.winograd.sums cimport run_with_moments, sums_bytes
from fastnn._kernels.winograd.tiles cimport Pass, pass_of, read_winograd
from fastnn._kernels.winograd.weight cimport run_weights, weights_bytes

from fastnn._kernels.winograd.passes import forward_loads
from fastnn._kernels.winograd.weight import weight_loads


cdef int64_t scale_bytes(const Conv *v) noexcept nogil:
    """At the start of each workspace: weight / sqrt(var + eps) of each channel of x."""
    return whole(4 * v.c, 64)


cdef norm_columns norm_of(const Conv *v, char **p, double eps, char *workspace) noexcept nogil:
    """The norm whose mean, var, weight and bias are p[1] to p[4]."""
    cdef norm_columns norm
    norm.mean, norm.bias = <float *> p[1], <float *> p[4]
    norm.scale = <float *> workspace
    norm.slope = norm.offset = NULL
    scale_columns(v.c, v.c, 0, <const float *> p[2], <const float *> p[3], eps,
                  <float *> workspace)
    return norm


cdef Pass normed_pass(const Conv *v, char **p, const norm_columns *norm, bint packed,
                      char *workspace) noexcept nogil:
    """The forward pass of x, filters (or packed ones), bias and y: p[0], p[5], p[6] and p[7]."""
    cdef Pass g = packed_pass(v) if packed else pass_of(v, False)
    g.x, g.weight, g.y = <float *> p[0], <float *> p[5], <float *> p[7]
    g.packed = g.weight
    g.workspace = workspace + scale_bytes(v)
    g.bias = <float *> p[6] if v.has_bias else NULL
    g.norm = norm
    return g


cdef void winograd_forward_normed(char **p, const int64_t *d, const double *s,
                                  int threads) noexcept nogil:
    """winograd_forward of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, filters[k,3,3,c], bias[k], y[n,oh,ow,k],
    workspace.  s: eps.  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef norm_columns norm = norm_of(v, p, s[0], p[8])
    cdef Pass g = normed_pass(v, p, &norm, False, p[8])
    run_pass(&g, threads)


cdef void winograd_forward_normed_packed(char **p, const int64_t *d, const double *s,
                                         int threads) noexcept nogil:
    """winograd_forward_normed with filters that winograd_pack packed, in their place."""
    cdef const Conv *v = <const Conv *> d
    cdef norm_columns norm = norm_of(v, p, s[0], p[8])
    cdef Pass g = normed_pass(v, p, &norm, True, p[8])
    run_pass(&g, threads)


cdef void winograd_forward_normed_stats(char **p, const int64_t *d, const double *s,
                                        int threads) noexcept nogil:
    """winograd_forward_normed, and mean[k], var[k] of y as winograd_forward_stats; overwritten.

    p: x, mean, var, weight, bias of the norm, filters, bias[k], y, mean, var, workspace.  s: eps.
    """
    cdef const Conv *v = <const Conv *> d
    cdef norm_columns norm = norm_of(v, p, s[0], p[10])
    cdef Pass g = normed_pass(v, p, &norm, False, p[10])
    run_with_moments(&g, <float *> p[8], <float *> p[9], threads)


cdef void winograd_grad_weight_normed(char **p, const int64_t *d, const double *s,
                                      int threads) noexcept nogil:
    """winograd_grad_weight of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, dy[n,oh,ow,k], dw[k,3,3,c], workspace.
    s: eps.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef norm_columns norm = norm_of(v, p, s[0], p[7])
    run_weights(v, <float *> p[0], &norm, <float *> p[5], <float *> p[6], p[7] + scale_bytes(v),
                threads)


def _forward_extents(stats):
    """Extents of the forward pass; stats: with the moments of y."""
    def extents(d, threads):
        cdef Conv v = read_winograd(d)
        cdef Pass g = pass_of(&v, False)
        x, weight, bias, y = sizes_bytes(&v)
        moments = (4 * v.k,) * (2 * stats)
        scratch = sums_bytes(&g, threads) if stats else pass_bytes(&g, threads)
        return x, *(4 * v.c,) * 4, weight, bias, y, *moments, scale_bytes(&v) + scratch
    return extents


def _packed_extents(d, threads):
    cdef Conv v = read_winograd(d)
    cdef Pass g = packed_pass(&v)
    x, _, bias, y = sizes_bytes(&v)
    return (x, *(4 * v.c,) * 4, packed_bytes(&g), bias, y,
            scale_bytes(&v) + pass_bytes(&g, threads))


def _grad_weight_extents(d, threads):
    cdef Conv v = read_winograd(d)
    x, weight, _, y = sizes_bytes(&v)
    return x, *(4 * v.c,) * 4, y, weight, scale_bytes(&v) + weights_bytes(&v, threads)


KERNELS = {
    "winograd_forward_normed": (
        <uintptr_t> &winograd_forward_normed, _forward_extents(False), forward_loads),
    "winograd_forward_normed_packed": (
        <uintptr_t> &winograd_forward_normed_packed, _packed_extents, forward_loads),
    "winograd_forward_normed_stats": (
        <uintptr_t> &winograd_forward_normed_stats, _forward_extents(True), forward_loads),
    "winograd_grad_weight_normed": (
        <uintptr_t> &winograd_grad_weight_normed, _grad_weight_extents, weight_loads),
}

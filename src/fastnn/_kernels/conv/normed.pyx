"""1x1 convolutions that read x through a batch norm and a ReLU: max(0, norm(x)) is never stored.

They are products of matrices, and blocks of rows are read through the norm: the bits of
conv2d_forward and conv2d_grad_weight behind batch_norm_apply_relu. Sizes `d` are those of
direct.pyx, for filters without stride and padding.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport LINEAR, Conv, read_sizes, sizes_bytes, way_of
from fastnn._kernels.linear.linear cimport (
    MANY, gradient_workspace, outer_matrix, packed_floats, product_workspace, run_product)
from fastnn._kernels.linear.table cimport linear_product
from fastnn._kernels.norm.rows cimport norm_of_rows, vectors_bytes
from fastnn._kernels.norm.table cimport norm_rows

cdef enum:
    FEW = 8  # channels of x: the weight gradient is computed as its transpose


cdef void conv2d_forward_normed(char **p, const int64_t *d, const double *s,
                                int threads) noexcept nogil:
    """conv2d_forward of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, filters[k,1,1,c], bias[k], y[n,h,w,k],
    workspace.  s: eps.  y overlaps nothing.
    """
    run_forward(p, <const Conv *> d, s[0], <const float *> p[5], NULL, threads)


cdef void conv2d_forward_normed_packed(char **p, const int64_t *d, const double *s,
                                       int threads) noexcept nogil:
    """conv2d_forward_normed with filters that conv2d_pack packed, in their place."""
    run_forward(p, <const Conv *> d, s[0], NULL, <const float *> p[5], threads)


cdef void run_forward(char **p, const Conv *v, double eps, const float *weight,
                      const float *packed, int threads) noexcept nogil:
    cdef norm_rows norm = norm_of_rows(v.c, p, eps, p[8])
    cdef linear_product g
    g.depth, g.columns = v.c, v.k
    g.transposed, g.relu = 0, v.relu
    g.x, g.w, g.packed, g.y = <const float *> p[0], weight, packed, <float *> p[7]
    g.bias = <const float *> p[6] if v.has_bias else NULL
    run_product(&g, &norm, v.n * v.h * v.w, MANY, p[8] + vectors_bytes(v.c), threads)


cdef void conv2d_grad_weight_normed(char **p, const int64_t *d, const double *s,
                                    int threads) noexcept nogil:
    """conv2d_grad_weight of max(0, batch_norm(x)); overwritten.

    p: x[n,h,w,c], mean, var, weight, bias of the norm, dy[n,h,w,k], dw[k,1,1,c], workspace.
    s: eps.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef norm_rows norm = norm_of_rows(v.c, p, s[0], p[7])
    outer_matrix(<const float *> p[5], v.k, <const float *> p[0], &norm, v.c, v.n * v.h * v.w,
                 <float *> p[6], p[7] + vectors_bytes(v.c), threads)


cdef Conv read_matrix(d) except *:
    cdef Conv v = read_sizes(d)
    if way_of(&v) != LINEAR or v.c <= FEW:
        raise ValueError(f"a 1x1 convolution without stride and padding, of more than {FEW} "
                         f"channels, can read through a norm; not {tuple(d)}")
    return v


def _forward_extents(d, threads):
    cdef Conv v = read_matrix(d)
    x, weight, bias, y = sizes_bytes(&v)
    scratch = product_workspace(v.n * v.h * v.w, v.c, v.k, True, threads)
    return x, *(4 * v.c,) * 4, weight, bias, y, vectors_bytes(v.c) + scratch


def _packed_extents(d, threads):
    cdef Conv v = read_matrix(d)
    if packed_floats(v.c, v.k) == 0:
        raise ValueError(f"conv2d_forward_normed_packed is not for {tuple(d)}")
    x, *norm, _, bias, y, workspace = _forward_extents(d, threads)
    return x, *norm, 4 * packed_floats(v.c, v.k), bias, y, workspace


def _grad_weight_extents(d, threads):
    cdef Conv v = read_matrix(d)
    x, weight, _, y = sizes_bytes(&v)
    scratch = gradient_workspace(v.n * v.h * v.w, v.c, v.k, True, threads)
    return x, *(4 * v.c,) * 4, y, weight, vectors_bytes(v.c) + scratch


KERNELS = {
    "conv2d_forward_normed": (<uintptr_t> &conv2d_forward_normed, _forward_extents),
    "conv2d_forward_normed_packed": (<uintptr_t> &conv2d_forward_normed_packed, _packed_extents),
    "conv2d_grad_weight_normed": (<uintptr_t> &conv2d_grad_weight_normed, _grad_weight_extents),
}

"""Direct convolution on channels-last images: forward and both gradients, for all arguments."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

# The sizes of one convolution, in the order of d.
cdef struct Conv:
    int64_t n, h, w, c, k, kh, kw, stride_h, stride_w, pad_top, pad_left
    int64_t dilation_h, dilation_w, groups, oh, ow, has_bias, relu


cdef inline const float *tap_pixel(const Conv *v, const float *x, int64_t image, int64_t i,
                                   int64_t j, int64_t tap) noexcept nogil:
    """The input pixel that a tap reads for output pixel (i, j), or NULL in the padding."""
    cdef int64_t row = i * v.stride_h - v.pad_top + tap // v.kw * v.dilation_h
    cdef int64_t column = j * v.stride_w - v.pad_left + tap % v.kw * v.dilation_w
    if row < 0 or row >= v.h or column < 0 or column >= v.w:
        return NULL
    return x + ((image * v.h + row) * v.w + column) * v.c


cdef void conv2d_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n,oh,ow,k] = sum over taps and c of x[.., c] weight[k,tap,c] + bias[k]; relu; overwritten.

    p: x[n,h,w,c], weight[k,kh,kw,c/groups], bias[k], y, workspace.  d: n, h, w, c, k, kh, kw,
    stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups, oh, ow, has_bias, relu
    (bottom and right padding follow from oh, ow).  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef int64_t taps = v.kh * v.kw, depth = v.c // v.groups, line, j, f, tap, c
    cdef const float *weight = <const float *> p[1]
    cdef const float *bias = <const float *> p[2]
    cdef float *y = <float *> p[3]
    cdef const float *pixel
    cdef float total
    for line in prange(v.n * v.oh, num_threads=threads, schedule="static",
                       use_threads_if=threads > 1):
        for j in range(v.ow):
            for f in range(v.k):
                total = bias[f] if v.has_bias else 0
                for tap in range(taps):
                    pixel = tap_pixel(v, <const float *> p[0], line // v.oh, line % v.oh, j, tap)
                    if pixel != NULL:
                        pixel = pixel + f // (v.k // v.groups) * depth
                        for c in range(depth):
                            total = total + pixel[c] * weight[(f * taps + tap) * depth + c]
                y[(line * v.ow + j) * v.k + f] = 0 if v.relu and total < 0 else total


cdef void conv2d_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx = the adjoint of conv2d_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,kh,kw,c/groups], dx[n,h,w,c], workspace.  d: as conv2d_forward.
    """
    cdef const Conv *v = <const Conv *> d
    cdef int64_t taps = v.kh * v.kw, depth = v.c // v.groups, image, i, f, tap, c
    cdef const float *weight = <const float *> p[1]
    cdef const float *dy
    cdef float *pixel
    for image in prange(v.n, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        memset(p[2] + 4 * image * v.h * v.w * v.c, 0, 4 * v.h * v.w * v.c)
        for i in range(v.oh * v.ow):
            dy = <const float *> p[0] + (image * v.oh * v.ow + i) * v.k
            for tap in range(taps):
                pixel = <float *> tap_pixel(v, <const float *> p[2], image, i // v.ow, i % v.ow,
                                            tap)
                if pixel != NULL:
                    for f in range(v.k):
                        for c in range(depth):
                            pixel[f // (v.k // v.groups) * depth + c] += (
                                dy[f] * weight[(f * taps + tap) * depth + c])


cdef void conv2d_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """dw[k,kh,kw,c/groups] = sum over output pixels of dy[.., k] x[tap's pixel, c]; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw, workspace.  d: as conv2d_forward.
    """
    cdef const Conv *v = <const Conv *> d
    cdef int64_t taps = v.kh * v.kw, depth = v.c // v.groups, f, i, tap, c
    cdef const float *dy = <const float *> p[1]
    cdef float *dw
    cdef const float *pixel
    for f in prange(v.k, num_threads=threads, schedule="static", use_threads_if=threads > 1):
        dw = <float *> p[2] + f * taps * depth
        memset(dw, 0, 4 * taps * depth)
        for i in range(v.n * v.oh * v.ow):
            for tap in range(taps):
                pixel = tap_pixel(v, <const float *> p[0], i // (v.oh * v.ow),
                                  i // v.ow % v.oh, i % v.ow, tap)
                if pixel != NULL:
                    for c in range(depth):
                        dw[tap * depth + c] += (
                            dy[i * v.k + f] * pixel[f // (v.k // v.groups) * depth + c])


def _bytes(d):
    """Bytes of x, weight, bias, y; raises ValueError for sizes that contradict each other."""
    (n, h, w, c, k, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups,
     oh, ow, has_bias, relu) = d
    if n < 0 or min(h, w, c, k, kh, kw, stride_h, stride_w, dilation_h, dilation_w, groups,
                    oh, ow) < 1:
        raise ValueError(f"conv2d needs n >= 0 and all other sizes, strides and dilations >= 1: "
                         f"{tuple(d)}")
    if pad_top < 0 or pad_left < 0:
        raise ValueError(f"conv2d padding must be >= 0, not top {pad_top}, left {pad_left}")
    if c % groups or k % groups:
        raise ValueError(f"conv2d with {groups} groups needs channels that divide evenly, "
                         f"not {c} in and {k} out")
    return (4 * n * h * w * c, 4 * k * kh * kw * (c // groups), 4 * k if has_bias else 0,
            4 * n * oh * ow * k)


def _forward_extents(d, threads):
    return *_bytes(d), 0


def _grad_input_extents(d, threads):
    x, weight, _, y = _bytes(d)
    return y, weight, x, 0


def _grad_weight_extents(d, threads):
    x, weight, _, y = _bytes(d)
    return x, y, weight, 0


KERNELS = {
    "conv2d_forward": (<uintptr_t> &conv2d_forward, _forward_extents),
    "conv2d_grad_input": (<uintptr_t> &conv2d_grad_input, _grad_input_extents),
    "conv2d_grad_weight": (<uintptr_t> &conv2d_grad_weight, _grad_weight_extents),
}

"""Pooling of NHWC images. One task is one row of the result, so threads never share one."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.dispatch cimport (
    adaptive_pool_shape, avg_pool_shape, max_pool_shape, simd)

cdef enum:
    SERIAL = 32768      # floats that are not worth a team of threads


cdef void max_pool2d_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = max of x over each window; offsets = kh_index * kw + kw_index of the winner.

    The first element in window order wins a tie, a NaN wins over all, padding never wins.
    p: x[n,h,w,c], y[n,oh,ow,c], offsets uint8[n,oh,ow,c].  Overwrites; no aliasing.
    d: n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, oh, ow.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    cdef uint8_t *offsets = <uint8_t *> p[2]
    cdef int64_t row, image = g.h * g.w * g.c, line = g.ow * g.c
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * image > SERIAL):
        simd.pool.max_forward(
            g, x + row // g.oh * image, row % g.oh, y + row * line, offsets + row * line)


cdef void max_pool2d_infer(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """max_pool2d_forward without offsets.  p: x, y.  d: the same.  Overwrites; no aliasing."""
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    cdef int64_t row, image = g.h * g.w * g.c, line = g.ow * g.c
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * image > SERIAL):
        simd.pool.max_forward(g, x + row // g.oh * image, row % g.oh, y + row * line, NULL)


cdef void max_pool2d_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = sum of dy over the windows that x won, in window order, overwritten.

    p: dy[n,oh,ow,c], offsets uint8[n,oh,ow,c], dx[n,h,w,c].  d: as max_pool2d_forward.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef const float *dy = <const float *> p[0]
    cdef const uint8_t *offsets = <const uint8_t *> p[1]
    cdef float *dx = <float *> p[2]
    cdef int64_t row, image = g.oh * g.ow * g.c, line = g.w * g.c
    for row in prange(g.n * g.h, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * g.h * line > SERIAL):
        simd.pool.max_backward(g, dy + row // g.h * image, offsets + row // g.h * image,
                               row % g.h, dx + row * line)


cdef void avg_pool2d_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = sum of x over each window / divisor, overwritten.  p: x[n,h,w,c], y[n,oh,ow,c].

    The window is clipped to the padded input; the divisor is divisor_override unless 0, else its
    size (count_include_pad), else the size of its part inside the input.
    d: n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, oh, ow, count_include_pad,
    divisor_override, pad_bottom, pad_right.
    """
    cdef const avg_pool_shape *g = <const avg_pool_shape *> d
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    cdef int64_t row, image = g.h * g.w * g.c, line = g.ow * g.c
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * image > SERIAL):
        simd.pool.avg_forward(g, x + row // g.oh * image, row % g.oh, y + row * line)


cdef void avg_pool2d_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = sum of dy / divisor over the windows that hold x, overwritten.

    p: dy[n,oh,ow,c], dx[n,h,w,c].  d: as avg_pool2d_forward.
    """
    cdef const avg_pool_shape *g = <const avg_pool_shape *> d
    cdef const float *dy = <const float *> p[0]
    cdef float *dx = <float *> p[1]
    cdef int64_t row, image = g.oh * g.ow * g.c, line = g.w * g.c
    for row in prange(g.n * g.h, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * g.h * line > SERIAL):
        simd.pool.avg_backward(g, dy + row // g.h * image, row % g.h, dx + row * line)


cdef void adaptive_avg_pool2d_forward(char **p, const int64_t *d, const double *s,
                                      int threads) noexcept nogil:
    """y = mean of x over bins floor(i*h/oh)..ceil((i+1)*h/oh), and so along w; overwritten.

    p: x[n,h,w,c], y[n,oh,ow,c].  d: n, h, w, c, oh, ow.
    """
    cdef const adaptive_pool_shape *g = <const adaptive_pool_shape *> d
    cdef const float *x = <const float *> p[0]
    cdef float *y = <float *> p[1]
    cdef int64_t row, image = g.h * g.w * g.c, line = g.ow * g.c
    for row in prange(g.n * g.oh, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * image > SERIAL):
        simd.pool.adaptive_forward(g, x + row // g.oh * image, row % g.oh, y + row * line)


cdef void adaptive_avg_pool2d_backward(char **p, const int64_t *d, const double *s,
                                       int threads) noexcept nogil:
    """dx = sum of dy / size over the bins that hold x, overwritten.

    p: dy[n,oh,ow,c], dx[n,h,w,c].  d: n, h, w, c, oh, ow.
    """
    cdef const adaptive_pool_shape *g = <const adaptive_pool_shape *> d
    cdef const float *dy = <const float *> p[0]
    cdef float *dx = <float *> p[1]
    cdef int64_t row, image = g.oh * g.ow * g.c, line = g.w * g.c
    for row in prange(g.n * g.h, num_threads=threads, schedule="static",
                      use_threads_if=threads > 1 and g.n * g.h * line > SERIAL):
        simd.pool.adaptive_backward(g, dy + row // g.h * image, row % g.h, dx + row * line)


def _positive(**sizes):
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"pooling needs {name} >= 1, not {size}")


def _max_elements(d):
    n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, step_h, step_w, oh, ow = d[:14]
    _positive(n=n, h=h, w=w, c=c, kh=kh, kw=kw, stride_h=stride_h, stride_w=stride_w,
              dilation_h=step_h, dilation_w=step_w, oh=oh, ow=ow)
    if kh * kw > 256:
        raise ValueError(f"max-pool keeps the winner in one byte: a {kh}x{kw} window has more "
                         "than 256 elements")
    if pad_top < 0 or pad_left < 0:
        raise ValueError("max-pool padding must not be negative")
    return n * h * w * c, n * oh * ow * c


def _max_forward_extents(d, threads):
    inputs, outputs = _max_elements(d)
    return 4 * inputs, 4 * outputs, outputs


def _max_infer_extents(d, threads):
    inputs, outputs = _max_elements(d)
    return 4 * inputs, 4 * outputs


def _max_backward_extents(d, threads):
    inputs, outputs = _max_elements(d)
    return 4 * outputs, outputs, 4 * inputs


def _avg_elements(d):
    (n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, oh, ow, _, _divisor,
     pad_bottom, pad_right) = d[:16]
    _positive(n=n, h=h, w=w, c=c, kh=kh, kw=kw, stride_h=stride_h, stride_w=stride_w,
              oh=oh, ow=ow)
    if min(pad_top, pad_left, pad_bottom, pad_right) < 0:
        raise ValueError("average-pool padding must not be negative")
    return n * h * w * c, n * oh * ow * c


def _avg_forward_extents(d, threads):
    inputs, outputs = _avg_elements(d)
    return 4 * inputs, 4 * outputs


def _avg_backward_extents(d, threads):
    return _avg_forward_extents(d, threads)[::-1]


def _adaptive_forward_extents(d, threads):
    n, h, w, c, oh, ow = d[:6]
    _positive(n=n, h=h, w=w, c=c, oh=oh, ow=ow)
    return 4 * n * h * w * c, 4 * n * oh * ow * c


def _adaptive_backward_extents(d, threads):
    return _adaptive_forward_extents(d, threads)[::-1]


# name -> (address, bytes that each pointer must span, from d and the thread count)
KERNELS = {
    "max_pool2d_forward": (<uintptr_t> &max_pool2d_forward, _max_forward_extents),
    "max_pool2d_infer": (<uintptr_t> &max_pool2d_infer, _max_infer_extents),
    "max_pool2d_backward": (<uintptr_t> &max_pool2d_backward, _max_backward_extents),
    "avg_pool2d_forward": (<uintptr_t> &avg_pool2d_forward, _avg_forward_extents),
    "avg_pool2d_backward": (<uintptr_t> &avg_pool2d_backward, _avg_backward_extents),
    "adaptive_avg_pool2d_forward": (
        <uintptr_t> &adaptive_avg_pool2d_forward, _adaptive_forward_extents),
    "adaptive_avg_pool2d_backward": (
        <uintptr_t> &adaptive_avg_pool2d_backward, _adaptive_backward_extents),
}

"""Pooling of NHWC images. A chunk is a row of the result, or some rows of the gradient."""

from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.chunks cimport run_chunks
from fastnn._kernels.pool.table cimport average_shape, max_pool_shape, pool_axis, simd
from fastnn._kernels.sizes cimport larger, smaller

from fastnn._kernels.chunks import run_loads

cdef enum:
    SERIAL = 32768      # floats that are not worth a team of threads
    BANDS = 64          # of rows of the gradient, about, of all images
    BAND_ROWS = 8       # in each of them, at least


cdef int64_t bands(int64_t n, int64_t h) noexcept nogil:
    """Into how many bands the rows of one image's gradient are cut."""
    return larger(1, smaller(h // BAND_ROWS, BANDS // n))


cdef int64_t band_start(int64_t h, int64_t count, int64_t band) noexcept nogil:
    """The first row of a band, of `count` in an image of h rows."""
    return band * h // count


cdef int64_t serial_chunks(int64_t chunks, int64_t values) noexcept nogil:
    """Chunks that are not worth a team, where an image of so many values has `chunks` of them."""
    return SERIAL * chunks // values


# ---- max ----

cdef void max_pool2d_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = max of x over each window; offsets = kh_index * kw + kw_index of the winner.

    The first element in window order wins a tie, a NaN wins over all, padding never wins.
    p: x[n,h,w,c], y[n,oh,ow,c], offsets uint8[n,oh,ow,c].  Overwrites; no aliasing.
    d: n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, oh, ow.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    run_chunks(_max_row, p, d, s, g.n * g.oh, serial_chunks(g.oh, g.h * g.w * g.c), threads)


cdef void max_pool2d_infer(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """max_pool2d_forward without offsets.  p: x, y.  d: the same.  Overwrites; no aliasing."""
    cdef char *buffers[3]
    buffers[0], buffers[1], buffers[2] = p[0], p[1], NULL
    max_pool2d_forward(buffers, d, s, threads)


cdef void _max_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef int64_t line = g.ow * g.c
    cdef uint8_t *offsets = <uint8_t *> p[2]
    simd.max_forward(g, <const float *> p[0] + row // g.oh * g.h * g.w * g.c, NULL,
                     row % g.oh, <float *> p[1] + row * line,
                     NULL if offsets == NULL else offsets + row * line)


cdef void max_pool2d_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = sum of dy over the windows that x won, in window order, overwritten.

    p: dy[n,oh,ow,c], offsets uint8[n,oh,ow,c], dx[n,h,w,c].  d: as max_pool2d_forward.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef int64_t count = bands(g.n, g.h)
    run_chunks(_max_band, p, d, s, g.n * count, serial_chunks(count, g.h * g.w * g.c), threads)


cdef void _max_band(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef int64_t count = bands(g.n, g.h), image = chunk // count, band = chunk % count
    cdef int64_t at = image * g.oh * g.ow * g.c
    simd.max_backward(g, <const float *> p[0] + at, <const uint8_t *> p[1] + at,
                      band_start(g.h, count, band), band_start(g.h, count, band + 1),
                      <float *> p[2] + image * g.h * g.w * g.c)


# ---- averages ----

cdef void average_forward(char **p, const average_shape *g, const double *s,
                          int threads) noexcept nogil:
    run_chunks(_average_row, p, <const int64_t *> g, s, g.n * g.rows.out,
               serial_chunks(g.rows.out, g.rows.size * g.columns.size * g.c), threads)


cdef void _average_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef const average_shape *g = <const average_shape *> d
    cdef int64_t image = row // g.rows.out
    simd.average_forward(
        g, <const float *> p[0] + image * g.rows.size * g.columns.size * g.c, row % g.rows.out,
        <float *> p[1] + row * g.columns.out * g.c)


cdef void average_backward(char **p, const average_shape *g, const double *s,
                           int threads) noexcept nogil:
    cdef int64_t count = bands(g.n, g.rows.size)
    run_chunks(_average_band, p, <const int64_t *> g, s, g.n * count,
               serial_chunks(count, g.rows.size * g.columns.size * g.c), threads)


cdef void _average_band(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const average_shape *g = <const average_shape *> d
    cdef int64_t count = bands(g.n, g.rows.size), image = chunk // count, band = chunk % count
    simd.average_backward(
        g, <const float *> p[0] + image * g.rows.out * g.columns.out * g.c,
        band_start(g.rows.size, count, band), band_start(g.rows.size, count, band + 1),
        <float *> p[1] + image * g.rows.size * g.columns.size * g.c)


cdef average_shape windows(const int64_t *d) noexcept nogil:
    """The shape of avg_pool2d."""
    cdef average_shape g
    g.n, g.c, g.divisor = d[0], d[3], d[13]
    g.rows = pool_axis(size=d[1], out=d[10], k=d[4], stride=d[6], pad=d[8], pad_end=d[14],
                       count_padding=d[12])
    g.columns = pool_axis(size=d[2], out=d[11], k=d[5], stride=d[7], pad=d[9], pad_end=d[15],
                          count_padding=d[12])
    return g


cdef pool_axis bins(int64_t size, int64_t out) noexcept nogil:
    """The bins of adaptive pooling: windows of one size where `out` divides `size`."""
    cdef int64_t k = 0 if size % out else size // out
    return pool_axis(size=size, out=out, k=k, stride=k, pad=0, pad_end=0, count_padding=0)


cdef average_shape all_bins(const int64_t *d) noexcept nogil:
    """The shape of adaptive_avg_pool2d."""
    cdef average_shape g
    g.n, g.c, g.divisor = d[0], d[3], 0
    g.rows, g.columns = bins(d[1], d[4]), bins(d[2], d[5])
    return g


cdef void avg_pool2d_forward(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """y = sum of x over each window / divisor, overwritten.  p: x[n,h,w,c], y[n,oh,ow,c].

    The window is clipped to the padded input; the divisor is divisor_override unless 0, else its
    size (count_include_pad), else the size of its part inside the input.
    d: n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, oh, ow, count_include_pad,
    divisor_override, pad_bottom, pad_right.
    """
    cdef average_shape g = windows(d)
    average_forward(p, &g, s, threads)


cdef void avg_pool2d_backward(char **p, const int64_t *d, const double *s,
                              int threads) noexcept nogil:
    """dx = sum of dy / divisor over the windows that hold x, overwritten.

    p: dy[n,oh,ow,c], dx[n,h,w,c].  d: as avg_pool2d_forward.
    """
    cdef average_shape g = windows(d)
    average_backward(p, &g, s, threads)


cdef void adaptive_avg_pool2d_forward(char **p, const int64_t *d, const double *s,
                                      int threads) noexcept nogil:
    """y = mean of x over bins floor(i*h/oh)..ceil((i+1)*h/oh), and so along w; overwritten.

    p: x[n,h,w,c], y[n,oh,ow,c].  d: n, h, w, c, oh, ow.
    """
    cdef average_shape g = all_bins(d)
    average_forward(p, &g, s, threads)


cdef void adaptive_avg_pool2d_backward(char **p, const int64_t *d, const double *s,
                                       int threads) noexcept nogil:
    """dx = sum of dy / size over the bins that hold x, overwritten.

    p: dy[n,oh,ow,c], dx[n,h,w,c].  d: n, h, w, c, oh, ow.
    """
    cdef average_shape g = all_bins(d)
    average_backward(p, &g, s, threads)


# ---- what a call may be ----

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


# ---- what threads are dealt: elements of the result ----

def _forward_loads(oh, ow):
    """Where in d the sizes of y are."""
    def loads(d, threads):
        n, h, w, c = d[:4]
        rows, columns = d[oh], d[ow]
        return run_loads([columns * c] * (n * rows), serial_chunks(rows, h * w * c), threads)
    return loads


def _backward_loads(d, threads):
    n, h, w, c = d[:4]
    count = bands(n, h)
    image = [(band_start(h, count, band + 1) - band_start(h, count, band)) * w * c
             for band in range(count)]
    return run_loads(image * n, serial_chunks(count, h * w * c), threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "max_pool2d_forward": (
        <uintptr_t> &max_pool2d_forward, _max_forward_extents, _forward_loads(12, 13)),
    "max_pool2d_infer": (
        <uintptr_t> &max_pool2d_infer, _max_infer_extents, _forward_loads(12, 13)),
    "max_pool2d_backward": (
        <uintptr_t> &max_pool2d_backward, _max_backward_extents, _backward_loads),
    "avg_pool2d_forward": (
        <uintptr_t> &avg_pool2d_forward, _avg_forward_extents, _forward_loads(10, 11)),
    "avg_pool2d_backward": (
        <uintptr_t> &avg_pool2d_backward, _avg_backward_extents, _backward_loads),
    "adaptive_avg_pool2d_forward": (
        <uintptr_t> &adaptive_avg_pool2d_forward, _adaptive_forward_extents,
        _forward_loads(4, 5)),
    "adaptive_avg_pool2d_backward": (
        <uintptr_t> &adaptive_avg_pool2d_backward, _adaptive_backward_extents, _backward_loads),
}

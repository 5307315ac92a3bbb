"""What follows from a convolution's sizes: the way it is computed, and the bytes of its buffers.

Nothing here computes a convolution; direct.pyx and the other algorithms use it.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport LANES
from fastnn._kernels.linear.table cimport block_pixels, conv_tap, is_inner, padded_image
from fastnn._kernels.sizes cimport larger, smaller

cdef enum:
    FEW = 16  # input channels: with fewer, the sum of a single tap is too short

WAYS = ("linear", "depthwise", "padded", "inner", "general")  # the names of Way


def direct_way(d, direction):
    """How direct.pyx or direct_weight.pyx computes a pass: one of WAYS.

    d: the sizes of the pass, without has_bias and relu; direction: "forward", "grad_input" or
    "grad_weight". The kernels ask the same functions for the same sizes.
    """
    cdef Conv v = read_sizes((*d, 0, 0))
    if direction == "grad_weight":
        return WAYS[<int> way_of(&v)]
    return WAYS[<int> pass_way(&v, direction == "grad_input")]


cdef Conv read_sizes(d) except *:
    """d, checked; raises ValueError for sizes that contradict each other."""
    cdef Conv v
    cdef int64_t *fields = <int64_t *> &v
    (n, h, w, c, k, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups,
     oh, ow, _has_bias, _relu) = d
    if n < 0 or min(h, w, c, k, kh, kw, stride_h, stride_w, dilation_h, dilation_w, groups,
                    oh, ow) < 1:
        raise ValueError(f"conv2d needs n >= 0 and all other sizes, strides and dilations >= 1: "
                         f"{tuple(d)}")
    if pad_top < 0 or pad_left < 0:
        raise ValueError(f"conv2d padding must be >= 0, not top {pad_top}, left {pad_left}")
    if c % groups or k % groups:
        raise ValueError(f"conv2d with {groups} groups needs channels that divide evenly, "
                         f"not {c} in and {k} out")
    for i in range(18):
        fields[i] = d[i]
    return v


cdef tuple sizes_bytes(const Conv *v):
    """Bytes of x, weight, bias and y."""
    return (4 * v.n * v.h * v.w * v.c, 4 * v.k * v.kh * v.kw * (v.c // v.groups),
            4 * v.k if v.has_bias else 0, 4 * v.n * v.oh * v.ow * v.k)


cdef tuple forward_extents(const Conv *v, int64_t workspace):
    """Extents of a kernel that reads x, weight and bias, and writes y."""
    return *sizes_bytes(v), workspace


cdef tuple grad_input_extents(const Conv *v, int64_t workspace):
    """Extents of a kernel that reads dy and weight, and writes dx."""
    x, weight, _, y = sizes_bytes(v)
    return y, weight, x, workspace


cdef tuple grad_weight_extents(const Conv *v, int64_t workspace):
    """Extents of a kernel that reads x and dy, and writes dw."""
    x, weight, _, y = sizes_bytes(v)
    return x, y, weight, workspace


cdef Way way_of(const Conv *v) noexcept nogil:
    if v.groups > 1 and v.groups == v.c:
        return DEPTHWISE
    if (v.kh == 1 and v.kw == 1 and v.stride_h == 1 and v.stride_w == 1 and v.pad_top == 0 and
            v.pad_left == 0 and v.oh == v.h and v.ow == v.w and v.groups == 1):
        return LINEAR
    if (v.c // v.groups < FEW and v.kw > 1 and v.dilation_w == 1 and v.stride_w <= v.kw and
            v.stride_h <= v.kh and v.dilation_h <= v.kh):
        return PADDED  # what it copies is read: strides and dilation leave no wide gaps
    return GENERAL


cdef Way pass_way(const Conv *v, bint backward) noexcept nogil:
    """way_of for one pass; INNER where vectors of the depth are better filled than of columns."""
    cdef Way way = way_of(v)
    cdef int64_t depth = (v.k if backward else v.c) // v.groups
    cdef int64_t columns = (v.c if backward else v.k) // v.groups
    if way == PADDED and backward:
        way = GENERAL
    return INNER if way == GENERAL and is_inner(v.kh * v.kw, depth, columns, LANES) else way


cdef bint by_lines(const Conv *v, bint backward) noexcept nogil:
    """Whether a depthwise layer goes along lines: not if most pixels lack some taps."""
    cdef int64_t low = (v.pad_left + v.stride_w - 1) // v.stride_w
    cdef int64_t reach = v.w - 1 + v.pad_left - (v.kw - 1) * v.dilation_w
    cdef int64_t high = smaller(v.ow, reach // v.stride_w + 1 if reach >= 0 else 0)
    return v.k == v.c and (backward or 2 * (high - low) >= v.ow)


cdef int64_t multiply_adds(const Conv *v) noexcept nogil:
    return v.n * v.oh * v.ow * v.k * v.kh * v.kw * (v.c // v.groups)


cdef padded_image padded(const Conv *v) noexcept nogil:
    cdef padded_image image
    image.h, image.w, image.c, image.kh, image.kw = v.h, v.w, v.c // v.groups, v.kh, v.kw
    image.all_channels = v.c
    image.stride_h, image.stride_w, image.dilation_h = v.stride_h, v.stride_w, v.dilation_h
    image.pad_top, image.pad_left, image.oh, image.ow = v.pad_top, v.pad_left, v.oh, v.ow
    return image


cdef int64_t padded_lines(const Conv *v) noexcept nogil:
    """Output lines in one block of the PADDED way."""
    cdef int64_t pixels = block_pixels(v.kh, v.kw * (v.c // v.groups))
    cdef int64_t lines = larger(1, smaller(v.oh, pixels // v.ow))
    cdef int64_t blocks = (v.oh + lines - 1) // lines
    return (v.oh + blocks - 1) // blocks


cdef void list_rows(const Conv *v, conv_tap *tap) noexcept nogil:
    """Kernel rows as taps of a padded image."""
    cdef int64_t a
    for a in range(v.kh):
        tap[a].offset_h = a * v.dilation_h
        tap[a].offset_w = 0
        tap[a].slice = a

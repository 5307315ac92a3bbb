"""What the sizes of a convolution say: the way it is computed, which taps read what, and bytes.

Nothing here computes a convolution; conv2d.pyx and all other algorithms start from it.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport (
    block_pixels, conv_tap, is_inner, larger, padded_image, pixel_grid, simd, smaller)

cdef enum:
    FEW = 16             # input channels: below, a tap alone is too short a sum
    MOST_POSITIONS = 64  # of a map that is taken position by position,
    LEAST_IMAGES = 32    # and images, which are the rows of its products


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


cdef Way way_of(const Conv *v) noexcept nogil:
    if v.groups > 1 and v.groups == v.c:
        return DEPTHWISE
    if (v.kh == 1 and v.kw == 1 and v.stride_h == 1 and v.stride_w == 1 and v.pad_top == 0 and
            v.pad_left == 0 and v.oh == v.h and v.ow == v.w and v.groups == 1):
        return LINEAR
    if (v.c // v.groups < FEW and v.kw > 1 and v.dilation_w == 1 and v.stride_w <= v.kw and
            v.stride_h <= v.kh and v.dilation_h <= v.kh):
        return PADDED  # what it copies is read: strides and dilation leave no wide gaps
    if (v.groups == 1 and v.n >= LEAST_IMAGES and v.oh * v.ow <= MOST_POSITIONS and
            v.h * v.w <= MOST_POSITIONS and
            4 * taps_inside(v.h, v.oh, v.kh, v.stride_h, v.pad_top, v.dilation_h) *
            taps_inside(v.w, v.ow, v.kw, v.stride_w, v.pad_left, v.dilation_w) <=
            3 * v.oh * v.ow * v.kh * v.kw):
        return BY_POSITION
    return GENERAL


cdef int64_t taps_inside(int64_t size, int64_t outputs, int64_t kernel, int64_t stride,
                         int64_t pad, int64_t dilation) noexcept nogil:
    """Pairs of an output and a tap, along one axis, that read a pixel and not padding."""
    cdef int64_t i, a, count = 0
    for i in range(outputs):
        for a in range(kernel):
            count += 0 <= i * stride + a * dilation - pad < size
    return count


cdef Way pass_way(const Conv *v, bint backward) noexcept nogil:
    """way_of for one pass; INNER where vectors of the depth are better filled than of columns."""
    cdef Way way = way_of(v)
    cdef int64_t depth = (v.k if backward else v.c) // v.groups
    cdef int64_t columns = (v.c if backward else v.k) // v.groups
    if way == PADDED and backward:
        way = GENERAL
    return INNER if way == GENERAL and is_inner(v.kh * v.kw, depth, columns, simd.lanes) else way


cdef bint by_lines(const Conv *v, bint backward) noexcept nogil:
    """Whether a depthwise layer goes along lines: not where most pixels lack some taps."""
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


cdef void list_taps(const Conv *v, bint backward, int64_t phases, int64_t *start,
                    conv_tap *tap) noexcept nogil:
    """Taps in the order of phases; taps [start[i], start[i + 1]) belong to phase i.

    Forward, tap (a, b) reads row i * stride + a * dilation - pad. Backward, a pixel of phase
    (e, f) takes tap (a, b) from row i of dy when e + pad - a * dilation is i more strides.
    """
    cdef int64_t phase, a, b, row, column, count = 0
    for phase in range(phases):
        start[phase] = count
        for a in range(v.kh):
            for b in range(v.kw):
                if backward:
                    row = phase // v.stride_w + v.pad_top - a * v.dilation_h
                    column = phase % v.stride_w + v.pad_left - b * v.dilation_w
                    if row % v.stride_h or column % v.stride_w:
                        continue
                    tap[count].offset_h = row // v.stride_h
                    tap[count].offset_w = column // v.stride_w
                else:
                    tap[count].offset_h = a * v.dilation_h - v.pad_top
                    tap[count].offset_w = b * v.dilation_w - v.pad_left
                tap[count].slice = a * v.kw + b
                count += 1
    start[phases] = count


cdef int64_t list_position_taps(const Conv *v, bint backward, int64_t position,
                                conv_tap *tap) noexcept nogil:
    """The taps that read a pixel for one position of the map; offset_w is that pixel's position."""
    cdef int64_t width = v.w if backward else v.ow, a, b, row, column, count = 0
    for a in range(v.kh):
        for b in range(v.kw):
            if backward:
                row = position // width + v.pad_top - a * v.dilation_h
                column = position % width + v.pad_left - b * v.dilation_w
                if row % v.stride_h or column % v.stride_w:
                    continue
                row, column = row // v.stride_h, column // v.stride_w
                if not (0 <= row < v.oh and 0 <= column < v.ow):
                    continue
            else:
                row = position // width * v.stride_h + a * v.dilation_h - v.pad_top
                column = position % width * v.stride_w + b * v.dilation_w - v.pad_left
                if not (0 <= row < v.h and 0 <= column < v.w):
                    continue
            tap[count].offset_h = 0
            tap[count].offset_w = row * (v.ow if backward else v.w) + column
            tap[count].slice = a * v.kw + b
            count += 1
    return count


cdef void list_all_positions(const Conv *v, bint backward, int64_t positions, int64_t *start,
                             conv_tap *tap) noexcept nogil:
    """Taps in the order of positions, as list_taps does for phases."""
    cdef int64_t position
    start[0] = 0
    for position in range(positions):
        start[position + 1] = start[position] + list_position_taps(v, backward, position,
                                                                   tap + start[position])


cdef void place_images(pixel_grid *grid, int64_t images, int64_t pixels) noexcept nogil:
    """A grid whose pixels are the images: one position of each, which an offset along w names."""
    grid.rows = grid.height = images
    grid.columns = grid.step_h = grid.step_w = 1
    grid.width = pixels


cdef void list_rows(const Conv *v, conv_tap *tap) noexcept nogil:
    """Kernel rows as taps of a padded image."""
    cdef int64_t a
    for a in range(v.kh):
        tap[a].offset_h = a * v.dilation_h
        tap[a].offset_w = 0
        tap[a].slice = a

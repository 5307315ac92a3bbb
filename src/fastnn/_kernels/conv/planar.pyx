"""Convolution of few channels in each group, with vectors along the width: for stride and
dilation 1.

A channel of an image is laid out as lines of its own, so that a tap is a shifted read and few
channels fill whole vectors. Each output is a sum over taps in one order; a weight gradient is cut
into ranges of lines by the shape only, and has one group.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.conv.sizes cimport (
    Conv, forward_extents, grad_input_extents, grad_weight_extents, multiply_adds, read_sizes)
from fastnn._kernels.conv.table cimport (
    PLANAR_CHANNELS, planar_lines, planar_outer_scratch, planar_rows, planar_scratch, planar_shape,
    simd)
from fastnn._kernels.linear.outer cimport add_sums, count_sums
from fastnn._kernels.linear.table cimport simd as products
from fastnn._kernels.sizes cimport smaller, whole

from fastnn._kernels.chunks import dealt

cdef enum:
    SERIAL = 500000      # multiply-adds: below, starting threads costs more than it gives


cdef planar_shape shape(const Conv *v, bint backward) noexcept nogil:
    """The geometry of one group. backward: from dy to dx, with the kernel turned by 180 degrees."""
    cdef planar_shape g
    g.kh, g.kw = v.kh, v.kw
    if backward:
        g.h, g.w, g.x_pixel, g.oh, g.ow, g.y_pixel = v.oh, v.ow, v.k, v.h, v.w, v.c
        g.top, g.left = v.kh - 1 - v.pad_top, v.kw - 1 - v.pad_left
    else:
        g.h, g.w, g.x_pixel, g.oh, g.ow, g.y_pixel = v.h, v.w, v.c, v.oh, v.ow, v.k
        g.top, g.left = v.pad_top, v.pad_left
    g.c, g.k = g.x_pixel // v.groups, g.y_pixel // v.groups
    return g


cdef int64_t packed_bytes(const planar_shape *g) noexcept nogil:
    cdef int64_t rows = planar_rows(g, products.gemm.tile_rows), tiles = (g.k + rows - 1) // rows
    return whole(4 * tiles * g.kh * g.kw * g.c * products.gemm.tile_rows, 64)


cdef void pack(const planar_shape *g, bint backward, const float *weight,
               float *packed) noexcept nogil:
    """[tile][tap][source channel][target channel of the tile]; others are left alone."""
    cdef int64_t rows = planar_rows(g, products.gemm.tile_rows), taps = g.kh * g.kw
    cdef int64_t tile, tap, c, k
    for tile in range((g.k + rows - 1) // rows):
        for tap in range(taps):
            for c in range(g.c):
                for k in range(tile * rows, smaller(g.k, (tile + 1) * rows)):
                    packed[k - tile * rows] = (
                        weight[(c * taps + taps - 1 - tap) * g.k + k] if backward else
                        weight[(k * taps + tap) * g.c + c])
                packed += products.gemm.tile_rows


# What a chunk is of: lines of an image, in one group.
cdef struct Lines:
    int64_t image, group, line, end


cdef int64_t block_count(const planar_shape *g) noexcept nogil:
    """Blocks of lines of an image."""
    return (g.oh + planar_lines(g) - 1) // planar_lines(g)


cdef int64_t chunk_count(const Conv *v, const planar_shape *g) noexcept nogil:
    return v.n * block_count(g) * v.groups


cdef Lines lines_of(const Conv *v, const planar_shape *g, int64_t chunk) noexcept nogil:
    """The groups of a block follow each other, as they share pixels."""
    cdef Lines lines
    cdef int64_t blocks = block_count(g)
    lines.group = chunk % v.groups
    lines.image = chunk // v.groups // blocks
    lines.line = chunk // v.groups % blocks * planar_lines(g)
    lines.end = smaller(g.oh, lines.line + planar_lines(g))
    return lines


cdef void run_chunk(const Conv *v, const planar_shape *g, int64_t chunk, const float *x,
                    const float *packed, const float *bias, int relu, float *y,
                    char *scratch) noexcept nogil:
    cdef Lines lines = lines_of(v, g, chunk)
    simd.planar.conv(g, x + lines.group * g.c, packed + lines.group * (packed_bytes(g) // 4),
                     bias + lines.group * g.k if bias != NULL else NULL, relu,
                     y + lines.group * g.k, lines.image, lines.line, lines.end, scratch)


cdef void run(const Conv *v, bint backward, const float *x, const float *weight,
              const float *bias, int relu, float *y, char *workspace, int threads) noexcept nogil:
    cdef planar_shape g = shape(v, backward)
    cdef int64_t chunk, group, bytes = planar_scratch(&g), floats = packed_bytes(&g) // 4
    cdef const float *packed = <const float *> workspace
    cdef char *scratch = workspace + 4 * v.groups * floats
    for group in range(v.groups):
        pack(&g, backward, weight + group * g.k * g.kh * g.kw * g.c,
             <float *> workspace + group * floats)
    for chunk in prange(chunk_count(v, &g), num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and multiply_adds(v) >= SERIAL):
        run_chunk(v, &g, chunk, x, packed, bias, relu, y, scratch + threadid() * bytes)


cdef void planar_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """conv2d_forward for stride and dilation 1, and few channels in each group; overwritten.

    p: x[n,h,w,c], weight[k,kh,kw,c/groups], bias[k], y[n,oh,ow,k], workspace.  y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    run(v, False, <const float *> p[0], <const float *> p[1],
        <const float *> p[2] if v.has_bias else NULL, v.relu, <float *> p[3], p[4], threads)


cdef void planar_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """conv2d_grad_input likewise. p: dy[n,oh,ow,k], weight[k,kh,kw,c], dx[n,h,w,c], workspace."""
    run(<const Conv *> d, True, <const float *> p[0], <const float *> p[1], NULL, 0,
        <float *> p[2], p[3], threads)


cdef int64_t count_ranges(const Conv *v) noexcept nogil:
    return count_sums(v.n * v.oh * v.ow, multiply_adds(v), 4 * v.k * v.kh * v.kw * v.c)


cdef int64_t range_start(const Conv *v, int64_t number) noexcept nogil:
    """The first line of a range, of all images."""
    return v.n * v.oh * number // count_ranges(v)


cdef void planar_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """conv2d_grad_weight likewise. p: x[n,h,w,c], dy[n,oh,ow,k], dw[k,kh,kw,c], workspace."""
    cdef const Conv *v = <const Conv *> d
    cdef planar_shape g = shape(v, False)
    cdef int64_t floats = v.k * v.kh * v.kw * v.c, bytes = planar_outer_scratch(&g)
    cdef int64_t chunk, ranges = count_ranges(v)
    cdef float *partial = <float *> p[3]
    cdef char *scratch = p[3] + whole(4 * floats * (ranges - 1), 64)
    for chunk in prange(ranges, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and ranges > 1):
        simd.planar.outer(&g, <const float *> p[0], <const float *> p[1],
                          range_start(v, chunk), range_start(v, chunk + 1),
                          partial + (chunk - 1) * floats if chunk > 0 else <float *> p[2],
                          scratch + threadid() * bytes)
    add_sums(<float *> p[2], partial, floats, ranges - 1, threads)


cdef Conv read_planar(d) except *:
    cdef Conv v = read_sizes(d)
    if (v.stride_h, v.stride_w, v.dilation_h, v.dilation_w) != (1, 1, 1, 1):
        raise ValueError(f"planar is for stride 1 and dilation 1: {tuple(d)}")
    if v.c // v.groups > PLANAR_CHANNELS or v.k // v.groups > PLANAR_CHANNELS:
        raise ValueError(f"planar is for up to {PLANAR_CHANNELS} channels in a group, not "
                         f"{v.c // v.groups} in and {v.k // v.groups} out")
    return v


cdef int64_t conv_workspace(const Conv *v, bint backward, int threads) noexcept nogil:
    cdef planar_shape g = shape(v, backward)
    return v.groups * packed_bytes(&g) + threads * planar_scratch(&g)


def _forward_extents(d, threads):
    cdef Conv v = read_planar(d)
    return forward_extents(&v, conv_workspace(&v, False, threads))


def _grad_input_extents(d, threads):
    cdef Conv v = read_planar(d)
    return grad_input_extents(&v, conv_workspace(&v, True, threads))


def _grad_weight_extents(d, threads):
    cdef Conv v = read_planar(d)
    if v.groups > 1:
        raise ValueError(f"planar weight gradients are for one group: {tuple(d)}")
    cdef planar_shape g = shape(&v, False)
    cdef int64_t floats = v.k * v.kh * v.kw * v.c
    partial = whole(4 * floats * (count_ranges(&v) - 1), 64)
    return grad_weight_extents(&v, partial + threads * planar_outer_scratch(&g))


def _loads(backward):
    """Multiply-adds that each thread is dealt, with those of padding."""
    def loads(d, threads):
        cdef Conv v = read_planar(d)
        cdef planar_shape g = shape(&v, backward)
        cdef Lines lines
        cdef int64_t chunk, line_macs = g.ow * g.k * g.kh * g.kw * g.c
        sizes = []
        for chunk in range(chunk_count(&v, &g)):
            lines = lines_of(&v, &g, chunk)
            sizes.append((lines.end - lines.line) * line_macs)
        return dealt(sizes, threads, alone=multiply_adds(&v) < SERIAL)
    return loads


def _grad_weight_loads(d, threads):
    """Multiply-adds that each thread is dealt, with those of padding."""
    cdef Conv v = read_planar(d)
    line_macs = v.ow * v.k * v.kh * v.kw * v.c
    return dealt([line_macs * (range_start(&v, chunk + 1) - range_start(&v, chunk))
                  for chunk in range(count_ranges(&v))], threads)


KERNELS = {
    "planar_forward": (<uintptr_t> &planar_forward, _forward_extents, _loads(False)),
    "planar_grad_input": (<uintptr_t> &planar_grad_input, _grad_input_extents, _loads(True)),
    "planar_grad_weight": (
        <uintptr_t> &planar_grad_weight, _grad_weight_extents, _grad_weight_loads),
}

"""Convolution through BLAS, for all arguments: products of matrices by single-precision `sgemm`.

The pixels that an output pixel reads lie side by side in a row of `columns` (im2col), a block of
output pixels at a time; a 1x1 convolution of stride 1 needs no such copy. Work is cut by shape
alone. Every thread calls sgemm on chunks of its own, so the caller must limit BLAS to one thread
(blas.py). Then each product is the same sum in any thread.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy, memset
from scipy.linalg.cython_blas cimport sgemm

from fastnn._kernels.conv.sizes cimport (
    Conv, forward_extents, grad_input_extents, grad_weight_extents, multiply_adds, read_sizes)
from fastnn._kernels.linear.outer cimport add_sums, count_sums
from fastnn._kernels.sizes cimport larger, smaller, whole

cdef enum:
    CHUNKS = 16
    SERIAL = 500000            # multiply-adds: below, starting threads costs more than it gives
    COLUMNS_BYTES = 1 << 20    # of columns at a time: they stay in the second cache, if they
    LEAST_PIXELS = 128         # still are so many that packing the weights is paid for;
    MOST_PIXELS = 4096
    LEAST_CHUNK = 32           # pixels: chunks get smaller than LEAST_PIXELS to be CHUNKS many
    LEAST_PART = 64            # columns of a weight gradient
    LARGEST = 2147483647       # BLAS counts with 32 bits

# Sizes of one group's matrices, and whether the columns are the image itself.
cdef struct Group:
    int64_t depth, width, columns, direct

# The first tap of an output pixel; rows and columns are negative in the padding.
cdef struct Corner:
    int64_t image, row, column

# A pass over output pixels: chunk = block of pixels x group.
cdef struct Blocks:
    int64_t count, pixels, scratch_bytes

# An input gradient: chunk = images x band of input rows x group, `lines` of dy at a time.
cdef struct Bands:
    int64_t parts, images, bands, rows, lines, scratch_bytes

# A weight gradient: chunk = range of pixels with a sum of its own x group x part of the columns.
cdef struct Sums:
    int64_t count, parts, part_columns, pixels, floats, partial_bytes, scratch_bytes


cdef Group group_of(const Conv *v) noexcept nogil:
    cdef Group g
    g.depth, g.width = v.c // v.groups, v.k // v.groups
    g.columns = v.kh * v.kw * g.depth
    g.direct = (v.kh == 1 and v.kw == 1 and v.stride_h == 1 and v.stride_w == 1 and
                v.pad_top == 0 and v.pad_left == 0 and v.oh == v.h and v.ow == v.w)
    return g


cdef int64_t block_pixels(int64_t columns) noexcept nogil:
    return smaller(MOST_PIXELS, larger(LEAST_PIXELS, COLUMNS_BYTES // (4 * columns)))


cdef Blocks cut_blocks(const Conv *v) noexcept nogil:
    cdef Blocks cut
    cdef Group g = group_of(v)
    cdef int64_t pixels = v.n * v.oh * v.ow
    cdef int64_t most = smaller(block_pixels(g.columns),
                                larger(LEAST_CHUNK, (pixels + CHUNKS - 1) // CHUNKS))
    cut.count = (pixels + most - 1) // most
    if cut.count > 4:
        cut.count = whole(cut.count, 4)
    cut.pixels = (pixels + cut.count - 1) // cut.count if pixels else 1
    cut.scratch_bytes = 0 if g.direct else whole(4 * cut.pixels * g.columns, 64)
    return cut


cdef Bands cut_bands(const Conv *v) noexcept nogil:
    """Whole images if there are enough, so that no line of dy is multiplied twice."""
    cdef Bands cut
    cdef Group g = group_of(v)
    cdef int64_t most = block_pixels(g.columns), reach = (v.kh - 1) * v.dilation_h + 1
    cut.images = larger(1, smaller(most // (v.oh * v.ow), v.n * v.groups // CHUNKS))
    cut.parts = (v.n + cut.images - 1) // cut.images
    cut.bands = 1
    if cut.images == 1 and v.n and multiply_adds(v) >= SERIAL:
        cut.bands = larger(1, smaller(v.h // (2 * reach), CHUNKS // (v.n * v.groups)))
    cut.rows = (v.h + cut.bands - 1) // cut.bands
    cut.lines = larger(1, smaller(cut.images * v.oh, most // v.ow))
    cut.scratch_bytes = whole(4 * cut.lines * v.ow * g.columns, 64)
    return cut


cdef Sums cut_sums(const Conv *v) noexcept nogil:
    """Parts are whole taps, so that each is copied once; or any columns of the image itself."""
    cdef Sums cut
    cdef Group g = group_of(v)
    cdef int64_t pixels = v.n * v.oh * v.ow, wanted = 1
    cdef int64_t unit = LEAST_PART if g.direct else g.depth
    cut.floats = v.k * g.columns
    cut.count = count_sums(pixels, multiply_adds(v), 4 * cut.floats)
    if multiply_adds(v) >= SERIAL:
        wanted = larger(1, CHUNKS // (cut.count * v.groups))
    cut.part_columns = smaller(g.columns, whole(
        larger((g.columns + wanted - 1) // wanted, LEAST_PART), unit))
    cut.parts = (g.columns + cut.part_columns - 1) // cut.part_columns
    cut.pixels = larger(1, smaller(pixels, block_pixels(cut.part_columns)))
    cut.partial_bytes = whole(4 * cut.floats * (cut.count - 1), 64)
    cut.scratch_bytes = 0 if g.direct else whole(4 * cut.pixels * cut.part_columns, 64)
    return cut


cdef void multiply(bint a_turned, bint b_turned, int64_t rows, int64_t columns, int64_t depth,
                   const float *a, int64_t a_step, const float *b, int64_t b_step,
                   float *y, int64_t y_step) noexcept nogil:
    """y[rows,columns] += A B, with A in a[rows,depth] or, turned, a[depth,rows]; so with b.

    BLAS is column-major: it gets y^T += B^T A^T. It always adds to y; callers that overwrite fill y
    with zeros first, as BLAS would.
    """
    cdef int m = <int> columns, n = <int> rows, k = <int> depth
    cdef int lda = <int> b_step, ldb = <int> a_step, ldc = <int> y_step
    cdef float one = 1
    sgemm(b"T" if b_turned else b"N", b"T" if a_turned else b"N", &m, &n, &k, &one,
          <float *> b, &lda, <float *> a, &ldb, &one, y, &ldc)


cdef void start_rows(float *y, int64_t rows, int64_t width, int64_t step,
                     const float *bias) noexcept nogil:
    """Set each row of y[rows][width] to bias[width], or to zero without a bias."""
    cdef int64_t r
    for r in range(rows):
        if bias != NULL:
            memcpy(y + r * step, bias, 4 * width)
        else:
            memset(y + r * step, 0, 4 * width)


cdef void relu_rows(float *y, int64_t rows, int64_t width, int64_t step) noexcept nogil:
    cdef int64_t r, i
    for r in range(rows):
        for i in range(width):
            y[r * step + i] = 0 if y[r * step + i] < 0 else y[r * step + i]


cdef Corner corner_of(const Conv *v, int64_t pixel) noexcept nogil:
    cdef Corner corner
    corner.image = pixel // v.ow // v.oh
    corner.row = pixel // v.ow % v.oh * v.stride_h - v.pad_top
    corner.column = pixel % v.ow * v.stride_w - v.pad_left
    return corner


cdef int64_t tap_offset(const Conv *v, const Corner *corner, int64_t a, int64_t b,
                        int64_t first_row, int64_t end_row) noexcept nogil:
    """The offset in x[n,h,w,c] of tap (a, b); -1 outside of its image or of the rows."""
    cdef int64_t row = corner.row + a * v.dilation_h, column = corner.column + b * v.dilation_w
    if row < first_row or row >= end_row or column < 0 or column >= v.w:
        return -1
    return ((corner.image * v.h + row) * v.w + column) * v.c


cdef void gather(const Conv *v, const float *x, int64_t depth, int64_t first, int64_t count,
                 int64_t first_tap, int64_t end_tap, float *columns) noexcept nogil:
    """columns[count][taps][depth]: what output pixels first .. first + count - 1 read of x."""
    cdef int64_t pixel, a, b, offset
    cdef Corner corner
    for pixel in range(first, first + count):
        corner = corner_of(v, pixel)
        for a in range(first_tap // v.kw, (end_tap + v.kw - 1) // v.kw):
            for b in range(larger(0, first_tap - a * v.kw), smaller(v.kw, end_tap - a * v.kw)):
                offset = tap_offset(v, &corner, a, b, 0, v.h)
                if offset < 0:
                    memset(columns, 0, 4 * depth)
                else:
                    memcpy(columns, x + offset, 4 * depth)
                columns += depth


cdef void scatter(const Conv *v, const float *columns, int64_t depth, int64_t first, int64_t count,
                  int64_t first_row, int64_t end_row, float *dx) noexcept nogil:
    """The adjoint of `gather` for rows first_row .. end_row - 1 of the images: adds to dx."""
    cdef int64_t pixel, a, b, offset, i
    cdef Corner corner
    for pixel in range(first, first + count):
        corner = corner_of(v, pixel)
        for a in range(v.kh):
            for b in range(v.kw):
                offset = tap_offset(v, &corner, a, b, first_row, end_row)
                if offset >= 0:
                    for i in range(depth):
                        dx[offset + i] += columns[i]
                columns += depth


cdef void forward_chunk(const Conv *v, const Blocks *cut, int64_t chunk, char **p,
                        float *scratch) noexcept nogil:
    cdef Group g = group_of(v)
    cdef int64_t group = chunk // cut.count, first = chunk % cut.count * cut.pixels
    cdef int64_t count = smaller(cut.pixels, v.n * v.oh * v.ow - first), step = v.c
    cdef const float *x = <const float *> p[0] + group * g.depth
    cdef const float *weight = <const float *> p[1] + group * g.width * g.columns
    cdef const float *bias = <const float *> p[2] + group * g.width if v.has_bias else NULL
    cdef float *y = <float *> p[3] + first * v.k + group * g.width
    if count <= 0:
        return
    if g.direct:
        x += first * v.c
    else:
        gather(v, x, g.depth, first, count, 0, v.kh * v.kw, scratch)
        x, step = scratch, g.columns
    start_rows(y, count, g.width, v.k, bias)
    multiply(False, True, count, g.width, g.columns, x, step, weight, g.columns, y, v.k)
    if v.relu:
        relu_rows(y, count, g.width, v.k)


cdef void blas_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[n,oh,ow,k] = sum over taps and c of x[.., c] weight[k,tap,c] + bias[k]; relu; overwritten.

    p: x[n,h,w,c], weight[k,kh,kw,c/groups], bias[k], y, workspace.  d: as conv2d_forward.
    y overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Blocks cut = cut_blocks(v)
    cdef int64_t chunk
    for chunk in prange(cut.count * v.groups, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and multiply_adds(v) >= SERIAL):
        forward_chunk(v, &cut, chunk, p, <float *> (p[4] + threadid() * cut.scratch_bytes))


cdef void direct_input_chunk(const Conv *v, const Blocks *cut, int64_t chunk,
                             char **p) noexcept nogil:
    cdef Group g = group_of(v)
    cdef int64_t group = chunk // cut.count, first = chunk % cut.count * cut.pixels
    cdef int64_t count = smaller(cut.pixels, v.n * v.h * v.w - first)
    cdef float *dx = <float *> p[2] + first * v.c + group * g.depth
    if count <= 0:
        return
    start_rows(dx, count, g.depth, v.c, NULL)
    multiply(False, False, count, g.depth, g.width,
             <const float *> p[0] + first * v.k + group * g.width, v.k,
             <const float *> p[1] + group * g.width * g.columns, g.columns, dx, v.c)


cdef void band_chunk(const Conv *v, const Bands *cut, int64_t chunk, char **p,
                     float *scratch) noexcept nogil:
    """Everything that dy adds to one band of rows of one or more whole images."""
    cdef Group g = group_of(v)
    cdef int64_t group = chunk // cut.bands % v.groups
    cdef int64_t image = chunk // cut.bands // v.groups * cut.images
    cdef int64_t last = smaller(v.n, image + cut.images) - 1
    cdef int64_t row = chunk % cut.bands * cut.rows, end_row = smaller(v.h, row + cut.rows)
    cdef int64_t above = larger(0, row + v.pad_top - (v.kh - 1) * v.dilation_h)
    cdef int64_t line = image * v.oh + (above + v.stride_h - 1) // v.stride_h, pixels
    cdef int64_t end = last * v.oh + smaller(v.oh, (end_row - 1 + v.pad_top) // v.stride_h + 1)
    cdef const float *dy = <const float *> p[0] + group * g.width
    cdef const float *weight = <const float *> p[1] + group * g.width * g.columns
    cdef float *dx = <float *> p[2] + group * g.depth
    if row >= end_row:
        return
    start_rows(dx + (image * v.h + row) * v.w * v.c,
               ((last - image) * v.h + end_row - row) * v.w, g.depth, v.c, NULL)
    while line < end:
        pixels = smaller(cut.lines, end - line) * v.ow
        memset(scratch, 0, 4 * pixels * g.columns)
        multiply(False, False, pixels, g.columns, g.width, dy + line * v.ow * v.k, v.k,
                 weight, g.columns, scratch, g.columns)
        scatter(v, scratch, g.depth, line * v.ow, pixels, row, end_row, dx)
        line = line + cut.lines


cdef void blas_grad_input(char **p, const int64_t *d, const double *s,
                          int threads) noexcept nogil:
    """dx = the adjoint of blas_forward applied to dy; overwritten.

    p: dy[n,oh,ow,k], weight[k,kh,kw,c/groups], dx[n,h,w,c], workspace.  d: as conv2d_forward.
    dx overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Blocks blocks = cut_blocks(v)
    cdef Bands bands = cut_bands(v)
    cdef bint many = threads > 1 and multiply_adds(v) >= SERIAL
    cdef int64_t chunk
    if group_of(v).direct:
        for chunk in prange(blocks.count * v.groups, num_threads=threads, schedule="static",
                            use_threads_if=many):
            direct_input_chunk(v, &blocks, chunk, p)
        return
    for chunk in prange(bands.parts * v.groups * bands.bands, num_threads=threads,
                        schedule="static", use_threads_if=many):
        band_chunk(v, &bands, chunk, p, <float *> (p[3] + threadid() * bands.scratch_bytes))


cdef void sum_chunk(const Conv *v, const Sums *cut, int64_t chunk, char **p,
                    float *scratch) noexcept nogil:
    cdef Group g = group_of(v)
    cdef int64_t column = chunk % cut.parts * cut.part_columns
    cdef int64_t columns = smaller(cut.part_columns, g.columns - column)
    cdef int64_t group = chunk // cut.parts % v.groups, total = chunk // cut.parts // v.groups
    cdef int64_t pixels = v.n * v.oh * v.ow, first = pixels * total // cut.count
    cdef int64_t end = pixels * (total + 1) // cut.count, count, step = v.c
    cdef const float *x = <const float *> p[0] + group * g.depth
    cdef const float *dy = <const float *> p[1] + group * g.width
    cdef const float *read
    cdef float *dw = <float *> p[2]
    if total > 0:
        dw = <float *> p[3] + (total - 1) * cut.floats
    dw += group * g.width * g.columns + column
    start_rows(dw, g.width, columns, g.columns, NULL)
    while first < end:
        count = smaller(cut.pixels, end - first)
        if g.direct:
            read = x + first * v.c + column
        else:
            gather(v, x, g.depth, first, count, column // g.depth,
                   (column + columns) // g.depth, scratch)
            read, step = scratch, columns
        multiply(True, False, g.width, columns, count, dy + first * v.k, v.k, read, step,
                 dw, g.columns)
        first = first + count


cdef void blas_grad_weight(char **p, const int64_t *d, const double *s,
                           int threads) noexcept nogil:
    """dw[k,kh,kw,c/groups] = sum over output pixels of dy[.., k] x[tap's pixel, c]; overwritten.

    p: x[n,h,w,c], dy[n,oh,ow,k], dw, workspace.  d: as conv2d_forward.  dw overlaps nothing.
    """
    cdef const Conv *v = <const Conv *> d
    cdef Sums cut = cut_sums(v)
    cdef char *scratch = p[3] + cut.partial_bytes
    cdef int64_t chunk
    for chunk in prange(cut.count * v.groups * cut.parts, num_threads=threads, schedule="static",
                        use_threads_if=threads > 1 and multiply_adds(v) >= SERIAL):
        sum_chunk(v, &cut, chunk, p, <float *> (scratch + threadid() * cut.scratch_bytes))
    add_sums(<float *> p[2], <const float *> p[3], cut.floats, cut.count - 1, threads)


cdef Conv read_blas(d) except *:
    """d, checked; raises ValueError for sizes that contradict each other, or too large for BLAS."""
    cdef Conv v = read_sizes(d)
    cdef Group g = group_of(&v)
    if max(v.c, v.k, v.ow, g.columns) > LARGEST:
        raise ValueError(f"BLAS takes rows of up to {LARGEST} numbers: {tuple(d)}")
    return v


def _forward_extents(d, threads):
    cdef Conv v = read_blas(d)
    return forward_extents(&v, threads * cut_blocks(&v).scratch_bytes)


def _grad_input_extents(d, threads):
    cdef Conv v = read_blas(d)
    return grad_input_extents(
        &v, 0 if group_of(&v).direct else threads * cut_bands(&v).scratch_bytes)


def _grad_weight_extents(d, threads):
    cdef Conv v = read_blas(d)
    cdef Sums cut = cut_sums(&v)
    return grad_weight_extents(&v, cut.partial_bytes + threads * cut.scratch_bytes)


KERNELS = {
    "blas_forward": (<uintptr_t> &blas_forward, _forward_extents),
    "blas_grad_input": (<uintptr_t> &blas_grad_input, _grad_input_extents),
    "blas_grad_weight": (<uintptr_t> &blas_grad_weight, _grad_weight_extents),
}

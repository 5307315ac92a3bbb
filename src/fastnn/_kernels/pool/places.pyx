"""Max pooling that stores places, of int64: each winner's row * w + column in its image.

And what goes by such places: sums there (the gradient), values put there (unpooling), values read
there. A chunk is a row of the result, or some channels of an image. A place outside of the image
is passed over.
"""

from libc.stdint cimport int64_t, uint8_t, uintptr_t

from fastnn._kernels.chunks cimport count_chunks, run_chunks
from fastnn._kernels.pool.table cimport max_pool_shape, simd
from fastnn._kernels.sizes cimport larger, smaller

from fastnn._kernels.chunks import run_loads

cdef enum:
    SERIAL = 32768      # elements that are not worth a team of threads
    BLOCK = 32          # channels of a chunk

cdef struct place_shape:
    int64_t n, few, many, c  # pixels that have places, pixels that places name


cdef int64_t serial_chunks(int64_t chunks, int64_t values) noexcept nogil:
    """Chunks that are not worth a team, where so many values make `chunks` of them."""
    return SERIAL * chunks // larger(values, 1)


# ---- pooling ----

cdef void max_pool2d_places(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """y = max of x over each window; places = row * w + column of the winner in x.

    The first element in window order wins a tie, a NaN wins over all, padding never wins; a window
    of padding alone has place 0.  kh = 0: the rows' windows are the bins of adaptive pooling,
    floor(i*h/oh)..ceil((i+1)*h/oh); kw = 0: the columns'.
    p: x[n,h,w,c], y[n,oh,ow,c], places int64[n,oh,ow,c].  Overwrites; no aliasing.
    d: n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, oh, ow.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    run_chunks(_places_row, p, d, s, g.n * g.oh, serial_chunks(g.oh, g.h * g.w * g.c), threads)


cdef void _places_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef int64_t line = row * g.ow * g.c
    simd.max_places(g, <const float *> p[0] + row // g.oh * g.h * g.w * g.c, row % g.oh,
                    <float *> p[1] + line, <int64_t *> p[2] + line)


cdef void places_of_offsets(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """places = row * w + column in x of the winners that max_pool2d_forward stored as offsets.

    p: offsets uint8[n,oh,ow,c], places int64[n,oh,ow,c].  d: as max_pool2d_forward.  Overwrites.
    An offset that no window has, and one of padding, give place 0.
    """
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    run_chunks(_offsets_row, p, d, s, g.n * g.oh, serial_chunks(g.oh, g.oh * g.ow * g.c), threads)


cdef void _offsets_row(char **p, const int64_t *d, const double *s, int64_t row) noexcept nogil:
    cdef const max_pool_shape *g = <const max_pool_shape *> d
    cdef const uint8_t *offsets = <const uint8_t *> p[0] + row * g.ow * g.c
    cdef int64_t *places = <int64_t *> p[1] + row * g.ow * g.c
    cdef int64_t iy = row % g.oh * g.stride_h - g.pad_top, ix, ox, j, k, y, x
    cdef int64_t own[256]
    for k in range(256):
        own[k] = 0
    for ox in range(g.ow):
        ix = ox * g.stride_w - g.pad_left
        for k in range(g.kh * g.kw):
            y = iy + k // g.kw * g.dilation_h
            x = ix + k % g.kw * g.dilation_w
            own[k] = y * g.w + x if 0 <= y < g.h and 0 <= x < g.w else 0
        for j in range(ox * g.c, (ox + 1) * g.c):
            places[j] = own[offsets[j]]


# ---- by places ----

cdef int64_t blocks(int64_t c) noexcept nogil:
    """Into how many chunks an image's channels are cut."""
    return count_chunks(c, BLOCK)


cdef void _by_places(void (*run)(char **, const int64_t *, const double *, int64_t) noexcept nogil,
                     char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    cdef const place_shape *g = <const place_shape *> d
    cdef int64_t count = blocks(g.c)
    run_chunks(run, p, d, s, g.n * count, serial_chunks(count, (g.few + g.many) * g.c), threads)


cdef void _zero(const place_shape *g, float *x, int64_t first, int64_t end) noexcept nogil:
    """Set channels first .. end of an image of `many` pixels to 0."""
    cdef int64_t i, j
    for i in range(g.many):
        for j in range(first, end):
            x[i * g.c + j] = 0


cdef void add_at_places(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """x[place] = the sum of y over the pixels that have this place, in order; 0 elsewhere.

    p: y[n,few,c], places int64[n,few,c], x[n,many,c].  d: n, few, many, c.  Overwrites.
    """
    _by_places(_add_chunk, p, d, s, threads)


cdef void _add_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const place_shape *g = <const place_shape *> d
    cdef int64_t count = blocks(g.c), image = chunk // count, first = chunk % count * BLOCK
    cdef int64_t end = smaller(g.c, first + BLOCK), i, j, place
    cdef const float *y = <const float *> p[0] + image * g.few * g.c
    cdef const int64_t *places = <const int64_t *> p[1] + image * g.few * g.c
    cdef float *x = <float *> p[2] + image * g.many * g.c
    _zero(g, x, first, end)
    for i in range(g.few):
        for j in range(first, end):
            place = places[i * g.c + j]
            if 0 <= place < g.many:
                x[place * g.c + j] += y[i * g.c + j]


cdef void put_at_places(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """x[place] = the y of the last pixel that has this place; 0 elsewhere.

    p: y[n,few,c], places int64[n,few,c], x[n,many,c].  d: n, few, many, c.  Overwrites.
    """
    _by_places(_put_chunk, p, d, s, threads)


cdef void _put_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const place_shape *g = <const place_shape *> d
    cdef int64_t count = blocks(g.c), image = chunk // count, first = chunk % count * BLOCK
    cdef int64_t end = smaller(g.c, first + BLOCK), i, j, place
    cdef const float *y = <const float *> p[0] + image * g.few * g.c
    cdef const int64_t *places = <const int64_t *> p[1] + image * g.few * g.c
    cdef float *x = <float *> p[2] + image * g.many * g.c
    _zero(g, x, first, end)
    for i in range(g.few):
        for j in range(first, end):
            place = places[i * g.c + j]
            if 0 <= place < g.many:
                x[place * g.c + j] = y[i * g.c + j]


cdef void read_at_places(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = x[place], 0 for a place outside.

    p: x[n,many,c], places int64[n,few,c], y[n,few,c].  d: n, few, many, c.  Overwrites.
    """
    _by_places(_read_chunk, p, d, s, threads)


cdef void _read_chunk(char **p, const int64_t *d, const double *s, int64_t chunk) noexcept nogil:
    cdef const place_shape *g = <const place_shape *> d
    cdef int64_t count = blocks(g.c), image = chunk // count, first = chunk % count * BLOCK
    cdef int64_t end = smaller(g.c, first + BLOCK), i, j, place
    cdef const float *x = <const float *> p[0] + image * g.many * g.c
    cdef const int64_t *places = <const int64_t *> p[1] + image * g.few * g.c
    cdef float *y = <float *> p[2] + image * g.few * g.c
    for i in range(g.few):
        for j in range(first, end):
            place = places[i * g.c + j]
            y[i * g.c + j] = x[place * g.c + j] if 0 <= place < g.many else 0


# ---- what a call may be ----

def _elements(d):
    """Elements of x and of y of a pooling; a window of size 0 is a bin."""
    n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, step_h, step_w, oh, ow = d
    sizes = (n, h, w, c, stride_h, stride_w, step_h, step_w, oh, ow)
    if min(sizes) < 1 or min(kh, kw, pad_top, pad_left) < 0:
        raise ValueError(f"pooling needs sizes, strides and dilations >= 1 and padding >= 0: {d}")
    return n * h * w * c, n * oh * ow * c


def _pool_extents(d, threads):
    inputs, outputs = _elements(d)
    return 4 * inputs, 4 * outputs, 8 * outputs


def _offset_extents(d, threads):
    _, outputs = _elements(d)
    if not 1 <= d[4] * d[5] <= 256:
        raise ValueError(f"a window of {d[4]}x{d[5]} has no places that a byte can name")
    return outputs, 8 * outputs


def _place_elements(d):
    if min(d) < 1:
        raise ValueError(f"places need sizes >= 1: {tuple(d)}")
    n, few, many, c = d
    return n * few * c, n * many * c


def _write_extents(d, threads):
    few, many = _place_elements(d)
    return 4 * few, 8 * few, 4 * many


def _read_extents(d, threads):
    few, many = _place_elements(d)
    return 4 * many, 8 * few, 4 * few


def _row_loads(values):
    """Elements of y that each thread is dealt; values(d): of which size a team depends on."""
    def loads(d, threads):
        n, c, oh, ow = d[0], d[3], d[12], d[13]
        return run_loads([ow * c] * (n * oh), serial_chunks(oh, values(d)), threads)
    return loads


def _block_loads(d, threads):
    """Elements with places that each thread is dealt."""
    n, few, many, c = d
    count = blocks(c)
    sizes = [few * (min(c, (block + 1) * BLOCK) - block * BLOCK) for block in range(count)]
    return run_loads(sizes * n, serial_chunks(count, (few + many) * c), threads)


# name -> (address, bytes that each pointer must span, from d and the thread count, loads)
KERNELS = {
    "max_pool2d_places": (
        <uintptr_t> &max_pool2d_places, _pool_extents, _row_loads(lambda d: d[1] * d[2] * d[3])),
    "places_of_offsets": (
        <uintptr_t> &places_of_offsets, _offset_extents,
        _row_loads(lambda d: d[12] * d[13] * d[3])),
    "add_at_places": (<uintptr_t> &add_at_places, _write_extents, _block_loads),
    "put_at_places": (<uintptr_t> &put_at_places, _write_extents, _block_loads),
    "read_at_places": (<uintptr_t> &read_at_places, _read_extents, _block_loads),
}

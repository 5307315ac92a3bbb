"""PReLU with one slope for each channel, or for all: forward, and back to input and slopes.

Memory is [outer][channels][inner]. Where channels are the last axis, a chunk of the work is some
rows of them; else it is a run of values that have one slope. Chunks follow from the shape alone,
and their sums are added in order.
"""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.chunks cimport run_chunks
from fastnn._kernels.dispatch cimport LEVEL
from fastnn._kernels.sizes cimport larger, smaller

from fastnn._kernels.chunks import run_loads

cdef extern from "pointwise/simd/prelu.h":
    ctypedef struct prelu_table:
        void (*rows)(int64_t rows, int64_t n, const float *x, const float *w,
                     float *y) noexcept nogil
        void (*run)(int64_t n, const float *x, float slope, float *y) noexcept nogil
        void (*rows_grad)(int64_t rows, int64_t n, const float *x, const float *dy, const float *w,
                          float *dx, double *sums) noexcept nogil
        double (*run_grad)(int64_t n, const float *x, const float *dy, float slope,
                           float *dx) noexcept nogil
    const prelu_table *prelu_at(int level) noexcept nogil

cdef const prelu_table *simd = prelu_at(LEVEL)

cdef enum:
    CHUNK = 16384  # values in one chunk, about
    SERIAL = 2     # chunks that are not worth a team of threads


# Rows of channels: `count` chunks of `size` rows. Runs: outer x channels, each in `pieces` chunks.
cdef struct Cut:
    int64_t size, pieces, count
    bint by_rows


cdef Cut cut_of(const int64_t *d) noexcept nogil:
    """d: outer, channels, inner."""
    cdef Cut cut
    cut.by_rows = d[2] == 1 and d[1] > 1
    if cut.by_rows:
        cut.size = larger(1, CHUNK // d[1])
        cut.pieces = (d[0] + cut.size - 1) // cut.size
        cut.count = cut.pieces
    else:
        cut.size = CHUNK
        cut.pieces = (d[2] + CHUNK - 1) // CHUNK
        cut.count = d[0] * d[1] * cut.pieces
    return cut


# A chunk: `count` rows or values from element `at` on, in one run.
cdef struct Piece:
    int64_t run, at, count


cdef Piece piece_of(const int64_t *d, const Cut *cut, int64_t chunk) noexcept nogil:
    cdef Piece piece
    cdef int64_t first = chunk % cut.pieces * cut.size
    piece.run = chunk // cut.pieces
    piece.at = first * d[1] if cut.by_rows else piece.run * d[2] + first
    piece.count = smaller(cut.size, (d[0] if cut.by_rows else d[2]) - first)
    return piece


cdef void prelu_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y = x where x > 0, else w[channel] * x, overwritten.

    p: x[outer, channels, inner], w[channels], y.  d: outer, channels, inner.  y may be x.
    """
    run_chunks(_forward_chunk, p, d, s, cut_of(d).count, SERIAL, threads)


cdef void _forward_chunk(char **p, const int64_t *d, const double *s,
                         int64_t chunk) noexcept nogil:
    cdef Cut cut = cut_of(d)
    cdef const float *x = <const float *> p[0]
    cdef const float *w = <const float *> p[1]
    cdef float *y = <float *> p[2]
    cdef Piece piece = piece_of(d, &cut, chunk)
    if cut.by_rows:
        simd.rows(piece.count, d[1], x + piece.at, w, y + piece.at)
    else:
        simd.run(piece.count, x + piece.at, w[piece.run % d[1]], y + piece.at)


cdef void prelu_backward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """dx = dy where x > 0, else w[channel] * dy; dw = sum of dy * x where x <= 0; overwritten.

    p: x, dy, w[channels], dx, dw[channels], workspace.  d: outer, channels, inner.  dx may be dy.
    """
    cdef Cut cut = cut_of(d)
    cdef const double *sums = <const double *> p[5]
    cdef float *dw = <float *> p[4]
    cdef int64_t channel, chunk, outer
    cdef double total
    run_chunks(_backward_chunk, p, d, s, cut.count, SERIAL, threads)
    for channel in range(d[1]):
        total = 0.0
        if cut.by_rows:
            for chunk in range(cut.count):
                total += sums[chunk * d[1] + channel]
        else:
            for outer in range(d[0]):
                for chunk in range(cut.pieces):
                    total += sums[(outer * d[1] + channel) * cut.pieces + chunk]
        dw[channel] = <float> total


cdef void _backward_chunk(char **p, const int64_t *d, const double *s,
                          int64_t chunk) noexcept nogil:
    cdef Cut cut = cut_of(d)
    cdef const float *x = <const float *> p[0]
    cdef const float *dy = <const float *> p[1]
    cdef const float *w = <const float *> p[2]
    cdef float *dx = <float *> p[3]
    cdef double *sums = <double *> p[5]
    cdef Piece piece = piece_of(d, &cut, chunk)
    if cut.by_rows:
        simd.rows_grad(piece.count, d[1], x + piece.at, dy + piece.at, w, dx + piece.at,
                       sums + chunk * d[1])
    else:
        sums[chunk] = simd.run_grad(piece.count, x + piece.at, dy + piece.at,
                                    w[piece.run % d[1]], dx + piece.at)


cdef Cut _checked(d) except *:
    cdef int64_t sizes[3]
    if len(d) != 3 or min(d) < 0 or d[1] < 1:
        raise ValueError(f"prelu takes outer, channels and inner sizes, not {tuple(d)}")
    sizes = d
    return cut_of(sizes)


def _forward_extents(d, threads):
    _checked(d)
    outer, channels, inner = d
    return 4 * outer * channels * inner, 4 * channels, 4 * outer * channels * inner


def _backward_extents(d, threads):
    cdef Cut cut = _checked(d)
    outer, channels, inner = d
    values = 4 * outer * channels * inner
    return (values, values, 4 * channels, values, 4 * channels,
            8 * cut.count * (channels if cut.by_rows else 1))


def _loads(d, threads):
    """Elements that each thread is dealt."""
    cdef Cut cut = _checked(d)
    cdef int64_t sizes[3]
    sizes = d
    each = d[1] if cut.by_rows else 1
    return run_loads([each * piece_of(sizes, &cut, chunk).count for chunk in range(cut.count)],
                     SERIAL, threads)


KERNELS = {
    "prelu_forward": (<uintptr_t> &prelu_forward, _forward_extents, _loads),
    "prelu_backward": (<uintptr_t> &prelu_backward, _backward_extents, _loads),
}

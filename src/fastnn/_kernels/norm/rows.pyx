"""Blocks of rows of x[m, c] through a batch norm and a ReLU: max(0, norm(x)) is never stored.

Kernels that read rows in blocks write a block to scratch (L2) and read it from there. Each value
has the bits of batch_norm_apply_relu.
"""

from libc.stdint cimport int64_t

from fastnn._kernels.norm.batch_norm cimport WIDTH, blocks, scale_columns, spread
from fastnn._kernels.norm.table cimport norm_columns, norm_rows, simd
from fastnn._kernels.sizes cimport larger, smaller, whole

cdef enum:
    COLUMNS = 256  # about: rows of few channels side by side


cdef int64_t width_of(int64_t c) noexcept nogil:
    return c * larger(1, COLUMNS // c)


cdef int64_t vectors_bytes(int64_t c) noexcept nogil:
    """Room for the vectors of a norm."""
    return 3 * 4 * whole(width_of(c), 16)


cdef norm_rows norm_of_rows(int64_t c, char **p, double eps, char *room) noexcept nogil:
    """The norm whose mean, var, weight and bias are p[1] to p[4]."""
    cdef norm_rows norm
    cdef float *vectors = <float *> room
    norm.width = width_of(c)
    cdef int64_t step = whole(norm.width, 16)
    norm.columns.mean, norm.columns.scale = vectors, vectors + step
    norm.columns.bias = vectors + 2 * step
    norm.columns.slope = norm.columns.offset = NULL
    spread(norm.width, c, 0, <const float *> p[1], vectors)
    scale_columns(norm.width, c, 0, <const float *> p[2], <const float *> p[3], eps,
                  vectors + step)
    spread(norm.width, c, 0, <const float *> p[4], vectors + 2 * step)
    return norm


cdef const float *read_rows(const norm_rows *norm, int64_t rows, int64_t c, const float *x,
                            char *room) noexcept nogil:
    """Rows after the norm, in `room` for rows * c floats; x itself if norm is NULL."""
    cdef float *y = <float *> room
    cdef int64_t groups
    if norm == NULL:
        return x
    groups = rows * c // norm.width
    apply(groups, norm.width, x, &norm.columns, y)
    apply(rows - groups * (norm.width // c), c, x + groups * norm.width, &norm.columns,
          y + groups * norm.width)
    return y


cdef void apply(int64_t rows, int64_t width, const float *x, const norm_columns *v,
                float *y) noexcept nogil:
    """y = max(0, norm(x)), some columns at a time."""
    cdef norm_columns part
    cdef int64_t block, first
    for block in range(blocks(width)):
        first = block * WIDTH
        part = v[0]
        part.mean += first
        part.scale += first
        part.bias += first
        simd.apply(rows, smaller(WIDTH, width - first), width, x + first, &part, y + first, 1)

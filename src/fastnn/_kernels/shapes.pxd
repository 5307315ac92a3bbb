"""Strided shapes: drop dimensions of size 1 and merge those that two tensors walk as one."""

from libc.stdint cimport int64_t


cdef inline int collapse(int ndim, int64_t *shape, int64_t *a, int64_t *b) noexcept nogil:
    """Simplify shape[ndim] with strides a and b in place; the new number of dimensions, >= 1."""
    cdef int i, kept = 0
    for i in range(ndim):
        if shape[i] == 1:
            continue
        if (kept > 0 and a[kept - 1] == a[i] * shape[i] and b[kept - 1] == b[i] * shape[i]):
            shape[kept - 1] *= shape[i]
        else:
            shape[kept] = shape[i]
            kept += 1
        a[kept - 1] = a[i]
        b[kept - 1] = b[i]
    if kept == 0:
        shape[0] = 1
        a[0] = b[0] = 1
        kept = 1
    return kept

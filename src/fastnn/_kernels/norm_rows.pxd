from libc.stdint cimport int64_t

from fastnn._kernels.dispatch cimport norm_columns

# A norm of rows of c channels; its vectors are of `width` values, those of `width / c` rows.
cdef struct NormRows:
    int64_t c, width
    norm_columns columns

cdef int64_t vectors_bytes(int64_t c) noexcept nogil
cdef NormRows norm_of_rows(int64_t c, char **p, double eps, char *room) noexcept nogil
cdef const float *read_rows(const NormRows *norm, int64_t rows, int64_t c, const float *x,
                            char *room) noexcept nogil

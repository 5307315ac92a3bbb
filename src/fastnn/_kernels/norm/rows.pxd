from libc.stdint cimport int64_t

from fastnn._kernels.norm.table cimport norm_rows

cdef int64_t vectors_bytes(int64_t c) noexcept nogil
cdef norm_rows norm_of_rows(int64_t c, char **p, double eps, char *room) noexcept nogil
cdef const float *read_rows(const norm_rows *norm, int64_t rows, int64_t c, const float *x,
                            char *room) noexcept nogil

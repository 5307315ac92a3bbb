from libc.stdint cimport int64_t

cdef void range_of(const int64_t *x, int64_t n, int64_t ignored, int64_t *limits) noexcept nogil

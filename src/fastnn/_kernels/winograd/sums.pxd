from libc.stdint cimport int64_t

from fastnn._kernels.winograd.tiles cimport Pass

cdef int64_t sums_bytes(const Pass *g, int threads) noexcept nogil
cdef void run_with_moments(Pass *g, float *mean, float *var, int threads) noexcept nogil

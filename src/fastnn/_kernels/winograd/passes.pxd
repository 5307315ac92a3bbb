from libc.stdint cimport int64_t

from fastnn._kernels.winograd.tiles cimport Pass

cdef int64_t pass_bytes(const Pass *g, int threads) noexcept nogil
cdef void run_pass(const Pass *g, int threads) noexcept nogil

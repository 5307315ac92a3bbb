from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.winograd.tiles cimport Pass

cdef int64_t pass_bytes(const Pass *g, int threads) noexcept nogil
cdef int64_t packed_bytes(const Pass *g) noexcept nogil
cdef Pass packed_pass(const Conv *v) noexcept nogil
cdef void run_pass(const Pass *g, int threads) noexcept nogil

from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.norm.table cimport norm_columns
from fastnn._kernels.winograd.weight_cuts cimport Cuts

cdef Cuts bands_cuts(const Conv *v, int threads) noexcept nogil
cdef int64_t weight_bands_bytes(const Conv *v, int threads) noexcept nogil
cdef void run_weight_bands(const Conv *v, const float *x, const norm_columns *norm,
                           const float *dy, float *dw, char *workspace,
                           int threads) noexcept nogil

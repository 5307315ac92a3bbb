from libc.stdint cimport int64_t

from fastnn._kernels.conv.sizes cimport Conv
from fastnn._kernels.norm.table cimport norm_columns

cdef int64_t weights_bytes(const Conv *v, int threads) noexcept nogil
cdef void run_weights(const Conv *v, const float *x, const norm_columns *norm, const float *dy,
                      float *dw, char *workspace, int threads) noexcept nogil

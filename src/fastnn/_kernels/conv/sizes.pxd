from libc.stdint cimport int64_t

from fastnn._kernels.linear.table cimport conv_tap, padded_image

cdef enum Way:
    LINEAR, DEPTHWISE, PADDED, INNER, GENERAL

# The sizes of one convolution, in the order of d.
cdef struct Conv:
    int64_t n, h, w, c, k, kh, kw, stride_h, stride_w, pad_top, pad_left
    int64_t dilation_h, dilation_w, groups, oh, ow, has_bias, relu


cdef Way way_of(const Conv *v) noexcept nogil
cdef Way pass_way(const Conv *v, bint backward) noexcept nogil
cdef bint by_lines(const Conv *v, bint backward) noexcept nogil
cdef int64_t multiply_adds(const Conv *v) noexcept nogil
cdef padded_image padded(const Conv *v) noexcept nogil
cdef int64_t padded_lines(const Conv *v) noexcept nogil
cdef void list_rows(const Conv *v, conv_tap *tap) noexcept nogil
cdef Conv read_sizes(d) except *
cdef tuple sizes_bytes(const Conv *v)
cdef tuple forward_extents(const Conv *v, int64_t workspace)
cdef tuple grad_input_extents(const Conv *v, int64_t workspace)
cdef tuple grad_weight_extents(const Conv *v, int64_t workspace)

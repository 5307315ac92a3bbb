from libc.stdint cimport int64_t

cdef extern from "simd/sizes.h":
    int64_t smaller(int64_t a, int64_t b) noexcept nogil
    int64_t larger(int64_t a, int64_t b) noexcept nogil
    int64_t whole(int64_t n, int64_t unit) noexcept nogil  # n rounded up to a multiple of unit

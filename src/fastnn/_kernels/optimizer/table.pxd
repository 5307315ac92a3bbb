from libc.stdint cimport int64_t

cdef extern from "optimizer/simd/table.h":
    ctypedef struct optimizer_row:
        const char *name
        const char *hyper
        int buffers
        void (*update)(int64_t n, int64_t step, const double *hyper,
                       float **buffers) noexcept nogil
    ctypedef struct optimizer_table:
        int count
        optimizer_row *rows
    const optimizer_table *optimizer_at(int level) noexcept nogil

cdef const optimizer_table *simd

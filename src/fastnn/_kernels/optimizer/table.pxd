from libc.stdint cimport int64_t

cdef extern from "optimizer/simd/table.h":
    ctypedef struct optimizer_row:
        const char *name
        const char *hyper
        int buffers
        int carries
        void (*update)(int64_t n, int64_t step, double carried, const double *hyper,
                       float **buffers) noexcept nogil
        double (*carried)(int64_t step, double carried, const double *hyper) noexcept nogil
    ctypedef struct optimizer_table:
        int count
        optimizer_row *rows
        void (*muon_direction)(int64_t n, const double *hyper, const float *g, const float *m,
                               float *y) noexcept nogil
    const optimizer_table *optimizer_at(int level) noexcept nogil
    enum:
        OPTIMIZER_BUFFERS

cdef const optimizer_table *simd

from libc.stdint cimport int64_t

cdef int64_t run_length(int64_t n) noexcept nogil
cdef void add_runs(int64_t n, int64_t c, const double *sums, float *dweight, float *dbias,
                   bint team, int threads) noexcept nogil

from libc.stdint cimport int64_t

cdef void add_examples(int64_t n, int64_t c, const double *sums, float *dweight, float *dbias,
                       bint team, int threads) noexcept nogil

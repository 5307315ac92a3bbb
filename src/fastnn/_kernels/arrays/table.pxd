from libc.stdint cimport int64_t

cdef extern from "arrays/simd/table.h":
    ctypedef struct arrays_table:
        void (*copy_plane)(int64_t rows, int64_t n, const float *x, int64_t x_row, int64_t x_step,
                           float *y, int64_t y_row, int64_t y_step) noexcept nogil
        void (*transpose)(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                          float *y, int64_t y_row) noexcept nogil
        void (*copy_past)(int64_t n, const float *x, float *y) noexcept nogil
        void (*fence_past)() noexcept nogil
        void (*sum_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                         double *sums) noexcept nogil
        double (*sum_run)(int64_t n, const float *x) noexcept nogil
        double (*square_sum_run)(int64_t n, const float *x, float factor) noexcept nogil
        int (*all_finite)(int64_t n, const float *x) noexcept nogil
    const arrays_table *arrays_at(int level) noexcept nogil

cdef const arrays_table *simd

from libc.stdint cimport int64_t, uint64_t

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
        void (*extreme_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                             int largest, float *values, int64_t *places,
                             int64_t first) noexcept nogil
        float (*extreme_run)(int64_t n, const float *x, int largest, int64_t *place) noexcept nogil
        void (*cumsum_rows)(int64_t rows, int64_t columns, const float *x, int64_t row,
                            float *y) noexcept nogil
        void (*prod_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                          float *y) noexcept nogil
        void (*prod_grad_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                               const float *dy, float *dx) noexcept nogil
        void (*sort_row)(int64_t n, int64_t k, const float *x, int descending, float *values,
                         int64_t *places, uint64_t *scratch) noexcept nogil
        void (*select_row)(int64_t n, int64_t k, const float *x, int descending, float *values,
                           int64_t *places, uint64_t *scratch) noexcept nogil
    const arrays_table *arrays_at(int level) noexcept nogil

cdef const arrays_table *simd

/* Copies (copy.h) and sums (reduce.h). */
#ifndef FASTNN_ARRAYS_TABLE_H
#define FASTNN_ARRAYS_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

typedef struct {
    /* y[i*y_row + j*y_step] = x[i*x_row + j*x_step] for i < rows, j < n */
    void (*copy_plane)(int64_t rows, int64_t n, const float *x, int64_t x_row, int64_t x_step,
                       float *y, int64_t y_row, int64_t y_step);
    /* y[i*y_row + j] = x[i + j*x_column] */
    void (*transpose)(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                      float *y, int64_t y_row);
    /* y[n] = x[n] past the caches, and what makes all such copies of this thread seen by others */
    void (*copy_past)(int64_t n, const float *x, float *y);
    void (*fence_past)(void);
    /* sums[j] = sum over rows of x[i*x_row + j]; sum_run: the sum of x[n];
     * square_sum_run: that of (factor * x)^2 */
    void (*sum_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                     double *sums);
    double (*sum_run)(int64_t n, const float *x);
    double (*square_sum_run)(int64_t n, const float *x, float factor);
    int (*all_finite)(int64_t n, const float *x);
} arrays_table;

DECLARE_TABLES(arrays_table, arrays)

#endif

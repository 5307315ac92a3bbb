/* Copies (copy.h), sums (reduce.h), extremes (extreme.h), scans (scan.h), sorting (sort.h). */
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
    /* values[j] = the largest (or least) of x[i*x_row + j] over 1 <= rows <= 2^30, places[j] = first
     * + the first such i; extreme_run: that of x[n], 1 <= n <= 2^30. NaN is beyond all others. */
    void (*extreme_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row, int largest,
                         float *values, int64_t *places, int64_t first);
    float (*extreme_run)(int64_t n, const float *x, int largest, int64_t *place);
    /* y[i*row + j] = the sum of x[k*row + j] for k <= i; row may be negative, y may be x */
    void (*cumsum_rows)(int64_t rows, int64_t columns, const float *x, int64_t row, float *y);
    /* y[j] = the product of x[i*x_row + j] over rows; dx = dy[j] * the product of the others */
    void (*prod_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row, float *y);
    void (*prod_grad_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                           const float *dy, float *dx);
    /* values[k], places[k]: the first of x[n] in order, n < 2^32, 1 <= k <= n; equal ones keep
     * their order, NaN is above all. sort_row: scratch[2n]; select_row, for few: scratch[k]. */
    void (*sort_row)(int64_t n, int64_t k, const float *x, int descending, float *values,
                     int64_t *places, uint64_t *scratch);
    void (*select_row)(int64_t n, int64_t k, const float *x, int descending, float *values,
                       int64_t *places, uint64_t *scratch);
} arrays_table;

DECLARE_TABLES(arrays_table, arrays)

#endif

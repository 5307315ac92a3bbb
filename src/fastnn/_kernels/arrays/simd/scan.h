/* Running sums, products, and the products of all others, over rows; in double. */
#ifndef FASTNN_ARRAYS_SCAN_H
#define FASTNN_ARRAYS_SCAN_H

#include "simd/doubles.h"
#include "simd/sizes.h"
#include "simd/vector.h"

enum { BLOCK = 64 }; /* columns whose products are formed at once */

INLINE void running_sums(int64_t rows, int64_t n, const float *x, int64_t row, float *y) {
    vd sum[2] = {{0}};
    for (int64_t i = 0; i < rows; i++) {
        vf_half half[2];
        vf v;
        add_double(sum, load_n(x + i * row, n));
        half[0] = __builtin_convertvector(sum[0], vf_half);
        half[1] = __builtin_convertvector(sum[1], vf_half);
        memcpy(&v, half, sizeof v);
        store_n(y + i * row, v, n);
    }
}

/* y[i*row + j] = the sum of x[k*row + j] for k <= i; row may be negative, y may be x. */
static void cumsum_rows(int64_t rows, int64_t columns, const float *x, int64_t row, float *y) {
    if (columns == 1) {
        double sum = 0.0;
        for (int64_t i = 0; i < rows; i++) y[i * row] = (float)(sum += (double)x[i * row]);
        return;
    }
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES) running_sums(rows, LANES, x + j, row, y + j);
    if (j < columns) running_sums(rows, columns - j, x + j, row, y + j);
}

/* The product of what is not 0, and how much is 0, of each column. */
INLINE void products_and_zeros(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                               double *product, double *zeros) {
    for (int64_t j = 0; j < columns; j++) product[j] = 1.0, zeros[j] = 0.0;
    for (int64_t i = 0; i < rows; i++, x += x_row)
        for (int64_t j = 0; j < columns; j++) {
            const double v = x[j];
            product[j] *= v == 0.0 ? 1.0 : v;
            zeros[j] += v == 0.0 ? 1.0 : 0.0;
        }
}

/* y[j] = the product of x[i*x_row + j] over i */
static void prod_rows(int64_t rows, int64_t columns, const float *x, int64_t x_row, float *y) {
    double product[BLOCK];
    for (int64_t first = 0; first < columns; first += BLOCK) {
        const int64_t n = smaller(columns - first, BLOCK);
        for (int64_t j = 0; j < n; j++) product[j] = 1.0;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++) product[j] *= (double)x[i * x_row + first + j];
        for (int64_t j = 0; j < n; j++) y[first + j] = (float)product[j];
    }
}

/* dx[i*x_row + j] = dy[j] * the product of all x of column j but the i-th; zeros make no NaN. */
static void prod_grad_rows(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                           const float *dy, float *dx) {
    double product[BLOCK], zeros[BLOCK], beside_zero[BLOCK], beside_others[BLOCK];
    for (int64_t first = 0; first < columns; first += BLOCK, x += BLOCK, dx += BLOCK) {
        const int64_t n = smaller(columns - first, BLOCK);
        products_and_zeros(rows, n, x, x_row, product, zeros);
        for (int64_t j = 0; j < n; j++) {
            beside_zero[j] = zeros[j] == 1.0 ? dy[first + j] * product[j] : 0.0;
            beside_others[j] = zeros[j] == 0.0 ? dy[first + j] * product[j] : 0.0;
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++) {
                const double v = x[i * x_row + j];
                dx[i * x_row + j] = (float)(v == 0.0 ? beside_zero[j] : beside_others[j] / v);
            }
    }
}

#endif

/* Sums: four values in float, these in double, so that the error does not grow with the count.
 *
 * The order of the terms of a result depends only on the shape.
 */
#ifndef FASTNN_ARRAYS_REDUCE_H
#define FASTNN_ARRAYS_REDUCE_H

#include "simd/doubles.h"
#include "simd/vector.h"

static double sum_run(int64_t n, const float *x) {
    vd sum[4] = {{0}};
    int64_t i = 0;
    for (; i + 8 * LANES <= n; i += 8 * LANES)
        for (int k = 0; k < 2; k++) {
            const float *at = x + i + 4 * k * LANES;
            add_double(sum + 2 * k, (load(at) + load(at + LANES)) +
                                        (load(at + 2 * LANES) + load(at + 3 * LANES)));
        }
    for (; i + LANES <= n; i += LANES) add_double(sum, load(x + i));
    if (i < n) add_double(sum + 2, load_head(x + i, n - i));
    return double_sum((sum[0] + sum[2]) + (sum[1] + sum[3]));
}

/* The squares of the low and the high half of x are added to sum[0] and sum[1]. */
INLINE void add_squares(vd sum[2], vf x) {
    vf_half half[2];
    memcpy(half, &x, sizeof x);
    const vd low = __builtin_convertvector(half[0], vd), high = __builtin_convertvector(half[1], vd);
    sum[0] += low * low;
    sum[1] += high * high;
}

/* The sum of (factor * x)^2; the product is a float, the square is not. */
static double square_sum_run(int64_t n, const float *x, float factor) {
    const vf by = splat(factor);
    vd sum[8] = {{0}};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (int k = 0; k < 4; k++) add_squares(sum + 2 * k, load(x + i + k * LANES) * by);
    for (; i + LANES <= n; i += LANES) add_squares(sum, load(x + i) * by);
    if (i < n) add_squares(sum + 2, load_head(x + i, n - i) * by);
    return double_sum(((sum[0] + sum[2]) + (sum[4] + sum[6])) +
                      ((sum[1] + sum[3]) + (sum[5] + sum[7])));
}

/* sums[j] for `vectors` vectors of columns. */
INLINE void sum_columns(int64_t rows, const float *x, int64_t x_row, double *sums, int vectors) {
    vd sum[8] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * x_row)
        for (int k = 0; k < vectors; k++) {
            const float *at = x + k * LANES;
            add_double(sum + 2 * k, (load(at) + load(at + x_row)) +
                                        (load(at + 2 * x_row) + load(at + 3 * x_row)));
        }
    for (; i < rows; i++, x += x_row)
        for (int k = 0; k < vectors; k++) add_double(sum + 2 * k, load(x + k * LANES));
    memcpy(sums, sum, sizeof(vd) * 2 * (size_t)vectors);
}

static void sum_rows(int64_t rows, int64_t columns, const float *x, int64_t x_row, double *sums) {
    int64_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) sum_columns(rows, x + j, x_row, sums + j, 4);
    for (; j + LANES <= columns; j += LANES) sum_columns(rows, x + j, x_row, sums + j, 1);
    for (; j < columns; j++) { /* less than a vector of columns is left */
        double even = 0.0, odd = 0.0;
        int64_t i = 0;
        for (; i + 2 <= rows; i += 2) {
            even += x[i * x_row + j];
            odd += x[(i + 1) * x_row + j];
        }
        if (i < rows) even += x[i * x_row + j];
        sums[j] = even + odd;
    }
}

/* An exponent of all ones is an infinity or a NaN. */
static int all_finite_run(int64_t n, const float *x) {
    vi bad = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) bad |= ((vi)load(x + i) & 0x7f800000) == 0x7f800000;
    if (i < n) bad |= ((vi)load_head(x + i, n - i) & 0x7f800000) == 0x7f800000;
    int any = 0;
    for (int k = 0; k < LANES; k++) any |= bad[k];
    return !any;
}

#endif

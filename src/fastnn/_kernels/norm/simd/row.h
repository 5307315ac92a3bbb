/* What a norm sums over one row: in float for some values, in double across them. */
#ifndef FASTNN_NORM_ROW_H
#define FASTNN_NORM_ROW_H

#include "simd/tail.h"

enum { ROW_FLOATS = 4096, ROW_SUMS = 4 }; /* sums in float go so far; as many vectors of them */

/* Run part(lanes, j, k) over the columns j < width, k the number of the vector of sums to use. */
#define OVER_ROW(width, part)                                                                     \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + ROW_SUMS * LANES <= (width); j += ROW_SUMS * LANES) {                          \
            for (int k = 0; k < ROW_SUMS; k++) { part(LANES, j + k * LANES, k); }                 \
        }                                                                                         \
        for (; j + LANES <= (width); j += LANES) { part(LANES, j, 0); }                           \
        if (j < (width)) { part((width) - j, j, 0); }                                             \
    } while (0)

INLINE float sums_total(const vf sum[ROW_SUMS]) {
    return lane_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

INLINE float block_sum(int64_t n, const float *x) {
    vf sum[ROW_SUMS] = {{0}};
#define PART(lanes, at, k) sum[k] += load_n(x + (at), lanes)
    OVER_ROW(n, PART);
#undef PART
    return sums_total(sum);
}

/* total[0] = sum of x - pivot, total[1] = sum of (x - pivot)^2 */
INLINE void block_deviations(int64_t n, const float *x, float pivot, double total[2]) {
    vf sum[ROW_SUMS] = {{0}}, square[ROW_SUMS] = {{0}};
    const vf center = splat(pivot);
#define PART(lanes, at, k)                                                                        \
    const vf d = fill_after(load_n(x + (at), lanes), lanes, pivot) - center;                      \
    sum[k] += d;                                                                                  \
    square[k] = vfma(d, d, square[k])
    OVER_ROW(n, PART);
#undef PART
    total[0] = sums_total(sum), total[1] = sums_total(square);
}

/* Mean and sum of (x - mean)^2. Each block of the row takes a second pass, in cache, about its own
 * mean; blocks merge as in Chan, Golub and LeVeque (1979). */
INLINE void row_moments(int64_t n, const float *x, double *mean, double *square) {
    double middle = 0.0, squares = 0.0;
    for (int64_t done = 0; done < n; done += ROW_FLOATS) {
        const int64_t count = n - done < ROW_FLOATS ? n - done : ROW_FLOATS;
        const float pivot = block_sum(count, x + done) / (float)count;
        double total[2];
        block_deviations(count, x + done, pivot, total);
        const double own = (double)count, rest = total[0] / own;
        const double delta = done ? pivot + rest - middle : 0.0;
        const double share = own / (double)(done + count);
        middle = done ? middle + delta * share : pivot + rest;
        squares += total[1] - total[0] * rest + delta * delta * share * (double)done;
    }
    *mean = middle, *square = squares;
}

/* sum of dy * weight, product = sum of dy * weight * (x - mean); weight NULL: ones */
INLINE void row_products(int64_t n, const float *dy, const float *x, const float *weight,
                         float mean, double *sum, double *product) {
    const vf m = splat(mean);
    *sum = *product = 0.0;
    for (int64_t done = 0; done < n; done += ROW_FLOATS) {
        const int64_t count = n - done < ROW_FLOATS ? n - done : ROW_FLOATS;
        vf sums[ROW_SUMS] = {{0}}, products[ROW_SUMS] = {{0}};
#define PART(lanes, at, k)                                                                        \
    vf g = load_n(dy + done + (at), lanes);                                                       \
    if (weight) g *= load_n(weight + done + (at), lanes);                                         \
    const vf d = fill_after(load_n(x + done + (at), lanes), lanes, mean) - m;                     \
    sums[k] += g;                                                                                 \
    products[k] = vfma(g, d, products[k])
        if (weight) OVER_ROW(count, PART);
        else OVER_ROW(count, PART);
#undef PART
        *sum += sums_total(sums), *product += sums_total(products);
    }
}

#endif

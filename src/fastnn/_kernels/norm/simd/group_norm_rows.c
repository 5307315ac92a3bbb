/* Group norm of rows, one for each channel of an example. */

#include "norm/simd/group_norm_rows.h"
#include "norm/simd/row.h"

static void moments_row(int64_t n, const float *x, double *mean, double *square) {
    row_moments(n, x, mean, square);
}

static void apply_row(int64_t n, const float *x, float mean, float scale, float bias, float *y) {
    const vf m = splat(mean), a = splat(scale), b = splat(bias);
#define PART(lanes, j) store_n(y + j, vfma(load_n(x + j, lanes) - m, a, b), lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

static void sums_row(int64_t n, const float *dy, const float *x, float mean, double *sum,
                     double *product) {
    row_products(n, dy, x, 0, mean, sum, product);
}

static void backward_row(int64_t n, const float *dy, const float *x, float mean, float scale,
                         float slope, float offset, float *dx) {
    const vf m = splat(mean), a = splat(scale), k = splat(slope), e = splat(offset);
#define PART(lanes, j)                                                                            \
    store_n(dx + j, vfma(load_n(dy + j, lanes), a, vfma(load_n(x + j, lanes) - m, k, e)), lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

const group_norm_rows_table TABLE(group_norm_rows) = {moments_row, apply_row, sums_row,
                                                      backward_row};

/* Layer norm and RMS norm of rows: each row is read from memory once, and again from the cache. */

#include <math.h>

#include "norm/simd/layer_norm.h"
#include "norm/simd/row.h"

/* ---- forward ---- */

/* y = (x - mean) * scale (* weight + bias) */
INLINE void apply_row(int64_t n, const float *x, float mean, float scale, const float *weight,
                      const float *bias, float *y) {
    const vf m = splat(mean), a = splat(scale);
#define PART(lanes, j)                                                                            \
    vf value = (load_n(x + j, lanes) - m) * a;                                                    \
    if (weight && bias) value = vfma(value, load_n(weight + j, lanes), load_n(bias + j, lanes));  \
    else if (weight) value *= load_n(weight + j, lanes);                                          \
    store_n(y + j, value, lanes)
    if (weight && bias) OVER_COLUMNS(n, PART);
    else if (weight) OVER_COLUMNS(n, PART);
    else OVER_COLUMNS(n, PART);
#undef PART
}

static void layer_norm_rows(int64_t rows, int64_t n, const float *x, const float *weight,
                            const float *bias, double eps, float *y, float *mean, float *rstd) {
    for (int64_t r = 0; r < rows; r++) {
        double middle, square;
        row_moments(n, x + r * n, &middle, &square);
        mean[r] = (float)middle;
        rstd[r] = (float)(1.0 / sqrt(square / (double)n + eps));
        apply_row(n, x + r * n, mean[r], rstd[r], weight, bias, y + r * n);
    }
}

static void rms_norm_rows(int64_t rows, int64_t n, const float *x, const float *weight, double eps,
                          float *y, float *rstd) {
    for (int64_t r = 0; r < rows; r++) {
        double square = 0.0, total[2];
        for (int64_t done = 0; done < n; done += ROW_FLOATS) {
            const int64_t count = n - done < ROW_FLOATS ? n - done : ROW_FLOATS;
            block_deviations(count, x + r * n + done, 0.0f, total);
            square += total[1];
        }
        rstd[r] = (float)(1.0 / sqrt(square / (double)n + eps));
        apply_row(n, x + r * n, 0.0f, rstd[r], weight, 0, y + r * n);
    }
}

/* ---- backward ---- */

enum { TOGETHER = 4, SUM_ROWS = 64 }; /* rows whose sums are in float */

/* dx = (dy * weight - offset + (x - mean) * slope) * rstd */
typedef struct {
    float mean, rstd, slope, offset;
} row_gradient;

INLINE row_gradient row_gradient_of(int64_t n, const float *dy, const float *x,
                                    const float *weight, float mean, float rstd, int centered) {
    double sum, product;
    row_products(n, dy, x, weight, mean, &sum, &product);
    const double variance = (double)rstd * rstd;
    return (row_gradient){mean, rstd, (float)(-variance * product / (double)n),
                          centered ? (float)(sum / (double)n) : 0.0f};
}

/* dx of `count` rows; products[n] += dy * (x - mean) * rstd, and totals[n] += dy. */
INLINE void gradient_rows(int count, int64_t n, const float *dy, const float *x,
                          const row_gradient *g, const float *weight, float *dx, float *products,
                          float *totals, int centered) {
#define PART(lanes, j)                                                                            \
    const vf w = weight ? load_n(weight + j, lanes) : splat(1.0f);                                \
    vf product = {0}, total = {0};                                                                \
    for (int i = 0; i < count; i++) {                                                             \
        const vf up = load_n(dy + i * n + j, lanes), a = splat(g[i].rstd);                        \
        const vf d = load_n(x + i * n + j, lanes) - splat(g[i].mean);                             \
        const vf scaled = weight ? vfma(up, w, (vf){0}) : up; /* rounded as in the sum */         \
        store_n(dx + i * n + j, vfma(d, splat(g[i].slope), scaled - splat(g[i].offset)) * a,      \
                lanes);                                                                           \
        product = vfma(up, d * a, product);                                                       \
        total += up;                                                                              \
    }                                                                                             \
    if (weight) store_n(products + j, load_n(products + j, lanes) + product, lanes);              \
    if (weight && centered) store_n(totals + j, load_n(totals + j, lanes) + total, lanes)
    if (weight) OVER_COLUMNS(n, PART);
    else OVER_COLUMNS(n, PART);
#undef PART
}

/* mean NULL: zeros, as of RMS norm; then dy is not summed. */
INLINE void backward(int64_t rows, int64_t n, const float *dy, const float *x, const float *mean,
                     const float *rstd, const float *weight, float *dx, double *sums, float *room,
                     int centered) {
    const int64_t values = weight ? (1 + centered) * n : 0;
    for (int64_t j = 0; j < values; j++) sums[j] = 0.0;
    for (int64_t done = 0; done < rows; done += SUM_ROWS) {
        const int64_t end = rows - done < SUM_ROWS ? rows : done + SUM_ROWS;
        if (values) memset(room, 0, (size_t)values * sizeof(float));
        int64_t r = done;
        row_gradient g[TOGETHER];
#define ROWS(count)                                                                               \
    for (int i = 0; i < count; i++)                                                               \
        g[i] = row_gradient_of(n, dy + (r + i) * n, x + (r + i) * n, weight,                      \
                               centered ? mean[r + i] : 0.0f, rstd[r + i], centered);             \
    gradient_rows(count, n, dy + r * n, x + r * n, g, weight, dx + r * n, room, room + n, centered)
        for (; r + TOGETHER <= end; r += TOGETHER) { ROWS(TOGETHER); }
        for (; r < end; r++) { ROWS(1); }
#undef ROWS
        for (int64_t j = 0; j < values; j++) sums[j] += room[j];
    }
}

static void layer_norm_backward_rows(int64_t rows, int64_t n, const float *dy, const float *x,
                                     const float *mean, const float *rstd, const float *weight,
                                     float *dx, double *sums, float *room) {
    backward(rows, n, dy, x, mean, rstd, weight, dx, sums, room, 1);
}

static void rms_norm_backward_rows(int64_t rows, int64_t n, const float *dy, const float *x,
                                   const float *rstd, const float *weight, float *dx, double *sums,
                                   float *room) {
    backward(rows, n, dy, x, 0, rstd, weight, dx, sums, room, 0);
}

const layer_norm_table TABLE(layer_norm) = {layer_norm_rows, rms_norm_rows,
                                            layer_norm_backward_rows, rms_norm_backward_rows};

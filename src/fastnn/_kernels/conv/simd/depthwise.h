/* Depthwise convolution: each input channel gives `spread` output channels of its own, side by
 * side. Vectors run along the output channels; a vector of them reads few input channels. */
#ifndef FASTNN_CONV_DEPTHWISE_H
#define FASTNN_CONV_DEPTHWISE_H

#include "linear/simd/indirect.h"
#include "conv/simd/depthwise_table.h"

#define UNROLL _Pragma("GCC unroll 4")

/* index[c]: which of the input channels from c0 / spread on output channel c takes, where c0 is
 * the first channel of the vector that c is in. */
static void spread_index(int64_t columns, int64_t spread, int32_t *index) {
    for (int64_t c = 0; spread > 1 && c < whole(columns, LANES); c++)
        index[c] = (int32_t)(c / spread - c / LANES * LANES / spread);
}

/* Input channels of output channels [c, c + LANES). */
INLINE vf load_spread(const float *x, int64_t columns, int64_t spread, const int32_t *index,
                      int64_t c, const int is_spread) {
    vi lanes;
    if (!is_spread) return load_n(x + c, columns - c);
    memcpy(&lanes, index + c, sizeof lanes);
    return pick(load_n(x + c / spread, columns / spread - c / spread), lanes);
}

/* One vector of channels of `rows` pixels: rows share the loads of the weights. */
INLINE void depthwise_tile(const conv_product *g, const float *const *a, int64_t stride,
                           float *const *y, const int32_t *index, int64_t c, const int is_spread,
                           const int rows) {
    const vf zero = {0};
    int64_t n = g->columns - c;
    vf sum[4] = {zero, zero, zero, zero};
    for (int64_t t = 0; t < g->taps; t++) {
        vf weights = load_n(g->packed + g->tap[t].slice * g->columns + c, n);
        UNROLL
        for (int r = 0; r < rows; r++)
            sum[r] += weights * load_spread(a[t * stride + r], g->columns, g->spread, index, c,
                                            is_spread);
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        vf out = g->bias ? sum[r] + load_n(g->bias + c, n) : sum[r];
        store_n(y[r] + c, g->relu ? vmax(zero, out) : out, n);
    }
}

INLINE void depthwise_rows(const conv_product *g, const float *const *a, int64_t stride,
                           float *const *y, const int32_t *index, const int rows) {
    for (int64_t c = 0; c < g->columns; c += LANES)
        if (g->spread > 1) depthwise_tile(g, a, stride, y, index, c, 1, rows);
        else depthwise_tile(g, a, stride, y, index, c, 0, rows);
}

/* y[c] = sum of the `fold` neighbours x[c * fold ..). */
static void fold_columns(const float *x, int64_t columns, int64_t fold, float *y) {
    for (int64_t c = 0; c < columns; c += fold) {
        float sum = x[c];
        for (int64_t i = 1; i < fold; i++) sum += x[c + i];
        *y++ = sum;
    }
}

/* Scratch: pointers to the outputs, then to the pixels of every tap; sums to fold; indices. */
static void depthwise_block(const conv_product *g, int64_t first, int64_t count, char *scratch) {
    float **y = (float **)scratch;
    const float **a = (const float **)y + count;
    float *sums = (float *)(scratch + whole(8 * count * (g->taps + 1), 64));
    int32_t *index = (int32_t *)(sums + 4 * whole(g->columns, 16));
    float *row[4];
    spread_index(g->columns, g->spread, index);
    find_targets(g, first, count, y);
    for (int64_t t = 0; t < g->taps; t++)
        find_pixels(&g->source, g->x, g->zero, g->tap[t].offset_h, g->tap[t].offset_w, first,
                    count, a + t * count);
    for (int i = 0; i < 4; i++) row[i] = sums + i * whole(g->columns, 16);
    for (int64_t r = 0, rows; r < count; r += rows) {
        float *const *to = g->fold > 1 ? row : y + r;
        rows = count - r >= 4 ? 4 : 1;
        if (rows == 4) depthwise_rows(g, a + r, count, to, index, 4);
        else depthwise_rows(g, a + r, count, to, index, 1);
        for (int64_t i = 0; g->fold > 1 && i < rows; i++)
            fold_columns(row[i], g->columns, g->fold, y[r + i]);
    }
}

/* dw[t][c] of `taps` neighbouring taps and one vector of channels, added up over pixels. */
INLINE void depthwise_outer_tile(const outer_product *g, const float *const *a, int64_t stride,
                                 const float *dy, const int32_t *index, int64_t pixels,
                                 int64_t c, float *dw, int accumulate, const int is_spread,
                                 const int taps) {
    const vf zero = {0};
    int64_t n = g->depth - c;
    vf sum[4] = {zero, zero, zero, zero};
    for (int64_t p = 0; p < pixels; p++) {
        vf factor = load_n(dy + p * g->dy_stride + c, n);
        UNROLL
        for (int t = 0; t < taps; t++)
            sum[t] += factor * load_spread(a[t * stride + p], g->depth, g->spread, index, c,
                                           is_spread);
    }
    UNROLL
    for (int t = 0; t < taps; t++) {
        float *out = dw + t * g->depth + c;
        store_n(out, accumulate ? load_n(out, n) + sum[t] : sum[t], n);
    }
}

#define DEPTHWISE_TAPS(taps)                                                                      \
    if (g->spread > 1)                                                                            \
        depthwise_outer_tile(g, from, pixels, dy, index, pixels, c, out, accumulate, 1, taps);    \
    else                                                                                          \
        depthwise_outer_tile(g, from, pixels, dy, index, pixels, c, out, accumulate, 0, taps);    \
    break;

/* Scratch: pointers to the pixels of every tap; indices. */
static void depthwise_outer(const outer_product *g, int64_t first, int64_t count, float *dw,
                            char *scratch) {
    enum { PIXELS = 64 };
    const float **a = (const float **)scratch;
    int32_t *index = (int32_t *)(scratch + whole(8 * PIXELS * g->taps, 64));
    spread_index(g->depth, g->spread, index);
    if (count <= 0) memset(dw, 0, (size_t)(g->taps * g->depth) * 4);
    for (int64_t p = 0; p < count; p += PIXELS) {
        int64_t pixels = smaller(PIXELS, count - p), t = 0;
        int accumulate = p > 0;
        const float *dy = g->dy + (first + p) * g->dy_stride;
        for (; t < g->taps; t++)
            find_pixels(&g->source, g->x, g->zero, g->tap[t].offset_h, g->tap[t].offset_w,
                        first + p, pixels, a + t * pixels);
        for (t = 0; t < g->taps; t += 4)
            for (int64_t c = 0; c < g->depth; c += LANES) {
                const float **from = a + t * pixels;
                float *out = dw + t * g->depth;
                switch (smaller(4, g->taps - t)) {
                case 1: DEPTHWISE_TAPS(1)
                case 2: DEPTHWISE_TAPS(2)
                case 3: DEPTHWISE_TAPS(3)
                default: DEPTHWISE_TAPS(4)
                }
            }
    }
}

#endif

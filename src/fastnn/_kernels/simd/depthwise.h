/* Depthwise convolution, one channel in and one out: vectors run along the channels. */

#define UNROLL _Pragma("GCC unroll 4")

/* One vector of channels of `rows` pixels: rows share the loads of the weights. */
INLINE void depthwise_tile(const conv_product *g, const float *const *a, int64_t stride,
                           float *const *y, int64_t c, const int rows) {
    const vf zero = {0};
    int64_t n = g->columns - c;
    vf sum[4] = {zero, zero, zero, zero};
    for (int64_t t = 0; t < g->taps; t++) {
        vf weights = load_part(g->packed + g->tap[t].slice * g->columns + c, n);
        UNROLL
        for (int r = 0; r < rows; r++) sum[r] += load_part(a[t * stride + r] + c, n) * weights;
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        vf out = g->bias ? sum[r] + load_part(g->bias + c, n) : sum[r];
        store_part(y[r] + c, g->relu ? vmax(zero, out) : out, n);
    }
}

/* Scratch: pointers to the outputs, then to the pixels of every tap. */
static void depthwise_block(const conv_product *g, int64_t first, int64_t count, char *scratch) {
    float **y = (float **)scratch;
    const float **a = (const float **)y + count;
    int64_t r = 0;
    find_targets(g, first, count, y);
    for (int64_t t = 0; t < g->taps; t++)
        find_pixels(&g->source, g->x, g->zero, g->tap[t].offset_h, g->tap[t].offset_w, first,
                    count, a + t * count);
    for (; r + 4 <= count; r += 4)
        for (int64_t c = 0; c < g->columns; c += LANES)
            depthwise_tile(g, a + r, count, y + r, c, 4);
    for (; r < count; r++)
        for (int64_t c = 0; c < g->columns; c += LANES)
            depthwise_tile(g, a + r, count, y + r, c, 1);
}

/* dw[t][c] of `taps` neighbouring taps and one vector of channels, added up over pixels. */
INLINE void depthwise_outer_tile(const outer_product *g, const float *const *a, int64_t stride,
                                 const float *dy, int64_t pixels, int64_t c, float *dw,
                                 int accumulate, const int taps) {
    const vf zero = {0};
    int64_t n = g->depth - c;
    vf sum[4] = {zero, zero, zero, zero};
    for (int64_t p = 0; p < pixels; p++) {
        vf factor = load_part(dy + p * g->dy_stride + c, n);
        UNROLL
        for (int t = 0; t < taps; t++) sum[t] += factor * load_part(a[t * stride + p] + c, n);
    }
    UNROLL
    for (int t = 0; t < taps; t++) {
        float *out = dw + t * g->depth + c;
        store_part(out, accumulate ? load_part(out, n) + sum[t] : sum[t], n);
    }
}

/* Scratch: pointers to the pixels of every tap. */
static void depthwise_outer(const outer_product *g, int64_t first, int64_t count, float *dw,
                            char *scratch) {
    enum { PIXELS = 64 };
    const float **a = (const float **)scratch;
    if (count <= 0) memset(dw, 0, (size_t)(g->taps * g->depth) * 4);
    for (int64_t p = 0; p < count; p += PIXELS) {
        int64_t pixels = smaller(PIXELS, count - p), t = 0;
        const float *dy = g->dy + (first + p) * g->dy_stride;
        for (; t < g->taps; t++)
            find_pixels(&g->source, g->x, g->zero, g->tap[t].offset_h, g->tap[t].offset_w,
                        first + p, pixels, a + t * pixels);
        for (t = 0; t < g->taps; t += 4)
            for (int64_t c = 0; c < g->depth; c += LANES) {
                const float **from = a + t * pixels;
                float *out = dw + t * g->depth;
                switch (smaller(4, g->taps - t)) {
                case 1: depthwise_outer_tile(g, from, pixels, dy, pixels, c, out, p > 0, 1); break;
                case 2: depthwise_outer_tile(g, from, pixels, dy, pixels, c, out, p > 0, 2); break;
                case 3: depthwise_outer_tile(g, from, pixels, dy, pixels, c, out, p > 0, 3); break;
                default: depthwise_outer_tile(g, from, pixels, dy, pixels, c, out, p > 0, 4);
                }
            }
    }
}

#define GEMM_TABLE                                                                                \
    {MR, NR, OUTER_PIXELS, pack_columns, pack_rows, linear_block, conv_block, conv_padded,       \
     outer_block, outer_padded, depthwise_block, depthwise_outer}

/* Pooling of one output row (forward) or one input row (backward) of an NHWC image.
 *
 * Every backward gathers: an input pixel adds what the windows over it send, in window order, so
 * rows are independent and the sum has one order. Channels go in blocks of up to 4 vectors.
 */
INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return a <= 0 ? 0 : b == 1 ? a : (a + b - 1) / b;
}

/* Run block(vectors, lanes, j) over channels j: wide blocks first, then single vectors, the tail.
 * With `spill` the tail is a whole vector too: it reads and writes past the pixel, what it writes
 * there is written again when the next pixel's turn comes. */
#define OVER_CHANNELS(c, spill, block)                                                            \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + 4 * LANES <= (c); j += 4 * LANES) { block(4, LANES, j); }                      \
        for (; j + ((spill) ? 1 : LANES) <= (c); j += LANES) { block(1, LANES, j); }              \
        if (j < (c)) { block(1, (c) - j, j); }                                                    \
    } while (0)

/* May a vector at the last channels of pixel i of `pixels` go on past the pixel? */
INLINE int may_spill(int64_t i, int64_t pixels, int64_t c) {
    return (pixels - 1 - i) * c >= LANES;
}

/* The part [first, end) of a window of k steps that lies inside 0..size, from start. */
typedef struct {
    int64_t first, end;
} span;
INLINE span inside(int64_t start, int64_t k, int64_t step, int64_t size) {
    return (span){ceil_div(-start, step), smaller(k, ceil_div(size - start, step))};
}

/* ---- max pool ---- */

/* Take value, and here as its index, where it is greater than best or the first NaN. */
INLINE void take_greater(vf value, vi here, vf *best, vi *index) {
#if LEVEL_AVX512
    const __mmask16 take = _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(*best, *best, _CMP_ORD_Q),
                                                   value, *best, _CMP_NLE_UQ);
    *best = _mm512_mask_mov_ps(*best, take, value);
    *index = (vi)_mm512_mask_mov_epi32((__m512i)*index, take, (__m512i)here);
#elif LEVEL_AVX2
    const __m256 take = _mm256_and_ps(_mm256_cmp_ps(value, *best, _CMP_NLE_UQ),
                                      _mm256_cmp_ps(*best, *best, _CMP_ORD_Q));
    *best = _mm256_blendv_ps(*best, value, take);
    *index = (vi)_mm256_blendv_ps((__m256)*index, (__m256)here, take);
#else
    const vi take = ~(value <= *best) & (*best == *best);
    *best = where(take, value, *best);
    *index = (take & here) | (~take & *index);
#endif
}

INLINE void max_block(const max_pool_shape *g, const float *x, span ky, span kx, float *y,
                      uint8_t *offsets, int vectors, int64_t lanes) {
    const int64_t down = g->dilation_h * g->w * g->c, right = g->dilation_w * g->c;
    const int empty = ky.first >= ky.end || kx.first >= kx.end;
    vf best[4];
    vi index[4];
    for (int v = 0; v < vectors; v++) { /* the first element, which may be -inf, beats padding */
        best[v] = empty ? splat(-__builtin_inff())
                        : load_n(x + ky.first * down + kx.first * right + v * LANES, lanes);
        index[v] = (vi){0} + (int32_t)(empty ? 0 : ky.first * g->kw + kx.first);
    }
    for (int64_t a = ky.first; a < ky.end; a++)
        for (int64_t b = kx.first; b < kx.end; b++) {
            const float *from = x + a * down + b * right;
            const vi here = (vi){0} + (int32_t)(a * g->kw + b);
            for (int v = 0; v < vectors; v++)
                take_greater(load_n(from + v * LANES, lanes), here, &best[v], &index[v]);
        }
    for (int v = 0; v < vectors; v++) {
        store_n(y + v * LANES, best[v], lanes);
        if (offsets) store_bytes(offsets + v * LANES, index[v], lanes);
    }
}

INLINE void max_row(const max_pool_shape *g, const float *x, int64_t oy, float *y,
                    uint8_t *offsets) {
    const int64_t iy0 = oy * g->stride_h - g->pad_top;
    const span ky = inside(iy0, g->kh, g->dilation_h, g->h);
    const int64_t bottom = (iy0 + (ky.end - 1) * g->dilation_h) * g->w;
    for (int64_t ox = 0; ox < g->ow; ox++) {
        const int64_t ix0 = ox * g->stride_w - g->pad_left, at = ox * g->c;
        const span kx = inside(ix0, g->kw, g->dilation_w, g->w);
        const float *from = x + (iy0 * g->w + ix0) * g->c;
        const int spill = may_spill(ox, g->ow, g->c) &&
            may_spill(bottom + ix0 + (kx.end - 1) * g->dilation_w, g->h * g->w, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    max_block(g, from + j, ky, kx, y + at + j, offsets ? offsets + at + j : 0, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

static void max_pool_forward_row(const max_pool_shape *g, const float *x, int64_t oy, float *y,
                                 uint8_t *offsets) {
    if (offsets) max_row(g, x, oy, y, offsets);
    else max_row(g, x, oy, y, 0);
}

/* The outputs [first, end) whose window of k steps may cover input i. */
INLINE span covering(int64_t i, int64_t k, int64_t step, int64_t stride, int64_t pad,
                     int64_t out) {
    const int64_t reach = i + pad;
    return (span){ceil_div(reach - (k - 1) * step, stride), smaller(out, reach / stride + 1)};
}

INLINE void max_grad_block(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                           span oy, span ox, int64_t iy, int64_t ix, float *dx, int vectors,
                           int64_t lanes) {
    vf sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = oy.first; a < oy.end; a++) {
        const int64_t down = iy + g->pad_top - a * g->stride_h;
        if (g->dilation_h > 1 && down % g->dilation_h) continue;
        for (int64_t b = ox.first; b < ox.end; b++) {
            const int64_t right = ix + g->pad_left - b * g->stride_w, at = (a * g->ow + b) * g->c;
            if (g->dilation_w > 1 && right % g->dilation_w) continue;
            const int64_t ky = g->dilation_h > 1 ? down / g->dilation_h : down;
            const int64_t kx = g->dilation_w > 1 ? right / g->dilation_w : right;
            const vi here = (vi){0} + (int32_t)(ky * g->kw + kx);
            for (int v = 0; v < vectors; v++) {
                const vi mine = load_bytes(offsets + at + v * LANES, lanes) == here;
                sum[v] += (vf)(mine & (vi)load_n(dy + at + v * LANES, lanes));
            }
        }
    }
    for (int v = 0; v < vectors; v++) store_n(dx + v * LANES, sum[v], lanes);
}

/* As `covering` of input i, given that of an input before it: no division. */
INLINE void advance(span *out, int64_t i, int64_t k, int64_t step, int64_t stride, int64_t pad,
                    int64_t size) {
    while (out->end < size && out->end * stride <= i + pad) out->end++;
    while (out->first < out->end && out->first * stride + (k - 1) * step < i + pad) out->first++;
}

/* The columns of one window in a row of dx, when windows do not overlap. */
INLINE void route_block(const float *dy, const uint8_t *offsets, int64_t index, int64_t columns,
                        int64_t c, float *dx, int vectors, int64_t lanes, int64_t read) {
    for (int v = 0; v < vectors; v++) {
        const vi value = (vi)load_n(dy + v * LANES, read);
        const vi winner = load_bytes(offsets + v * LANES, read);
        for (int64_t k = 0; k < columns; k++) {
            const vi mine = winner == (vi){0} + (int32_t)(index + k);
            store_n(dx + k * c + v * LANES, (vf)(mine & value), lanes);
        }
    }
}

/* Row iy of dx when windows do not overlap: each output writes its own columns. */
static void max_pool_route_row(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                               int64_t iy, float *dx) {
    const int64_t oy = (iy + g->pad_top) / g->stride_h, c = g->c;
    const int64_t ky = iy + g->pad_top - oy * g->stride_h;
    int64_t done = 0; /* columns of dx that are written */
    for (int64_t ox = 0; oy < g->oh && ky < g->kh && ox < g->ow; ox++) {
        const int64_t ix0 = ox * g->stride_w - g->pad_left, at = (oy * g->ow + ox) * c;
        const span kx = inside(ix0, g->kw, 1, g->w);
        const int64_t columns = kx.end - kx.first, ix = ix0 + kx.first;
        if (columns <= 0) continue;
        if (ix > done) memset(dx + done * c, 0, (size_t)((ix - done) * c) * sizeof(float));
        done = ix + columns;
        const int past = may_spill(oy * g->ow + ox, g->oh * g->ow, c);
        /* the tail of a column must not spill on the next one once its first block is written */
        const int spill = past && may_spill(done - 1, g->w, c) && (columns == 1 || c < LANES);
        const int64_t index = ky * g->kw + kx.first;
#define BLOCK(vectors, lanes, j)                                                                  \
    route_block(dy + at + j, offsets + at + j, index, columns, c, dx + ix * c + j, vectors, lanes, \
                past ? LANES : lanes)
        OVER_CHANNELS(c, spill, BLOCK);
#undef BLOCK
    }
    memset(dx + done * c, 0, (size_t)((g->w - done) * c) * sizeof(float));
}

static void max_pool_backward_row(const max_pool_shape *g, const float *dy,
                                  const uint8_t *offsets, int64_t iy, float *dx) {
    const span oy = covering(iy, g->kh, g->dilation_h, g->stride_h, g->pad_top, g->oh);
    span ox = {0, 0};
    if (g->dilation_h == 1 && g->dilation_w == 1 && g->stride_h >= g->kh &&
        g->stride_w >= g->kw) {
        max_pool_route_row(g, dy, offsets, iy, dx);
        return;
    }
    for (int64_t ix = 0; ix < g->w; ix++) {
        advance(&ox, ix, g->kw, g->dilation_w, g->stride_w, g->pad_left, g->ow);
        const int spill =
            may_spill(ix, g->w, g->c) && may_spill((oy.end - 1) * g->ow + ox.end - 1,
                                                   g->oh * g->ow, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    max_grad_block(g, dy + j, offsets + j, oy, ox, iy, ix, dx + ix * g->c + j, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

/* ---- average pool ---- */

/* y = sum of x[rows of y][columns of x] / divisor */
INLINE void mean_block(const float *x, int64_t w, int64_t c, span rows, span columns,
                       float divisor, float *y, int vectors, int64_t lanes) {
    vf sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = rows.first; a < rows.end; a++) {
        vf row[4]; /* a sum per row first: large windows keep their accuracy */
        for (int v = 0; v < vectors; v++) row[v] = (vf){0};
        for (int64_t b = columns.first; b < columns.end; b++)
            for (int v = 0; v < vectors; v++)
                row[v] += load_n(x + (a * w + b) * c + v * LANES, lanes);
        for (int v = 0; v < vectors; v++) sum[v] += row[v];
    }
    for (int v = 0; v < vectors; v++) store_n(y + v * LANES, sum[v] / divisor, lanes);
}

/* The window of output o clipped to the padded input (PyTorch's size), and to the input. */
INLINE span avg_window(int64_t o, int64_t k, int64_t stride, int64_t pad, int64_t size,
                       int64_t pad_end, int64_t *padded) {
    const int64_t start = o * stride - pad, end = smaller(start + k, size + pad_end);
    *padded = end - start;
    return (span){larger(start, 0), smaller(end, size)};
}

INLINE float avg_divisor(const avg_pool_shape *g, span rows, span columns, int64_t padded_rows,
                         int64_t padded_columns) {
    if (g->divisor_override) return (float)g->divisor_override;
    if (g->count_include_pad) return (float)(padded_rows * padded_columns);
    return (float)((rows.end - rows.first) * (columns.end - columns.first));
}

static void avg_pool_forward_row(const avg_pool_shape *g, const float *x, int64_t oy, float *y) {
    int64_t tall, wide;
    const span rows = avg_window(oy, g->kh, g->stride_h, g->pad_top, g->h, g->pad_bottom, &tall);
    for (int64_t ox = 0; ox < g->ow; ox++) {
        const span columns =
            avg_window(ox, g->kw, g->stride_w, g->pad_left, g->w, g->pad_right, &wide);
        const int empty = rows.first >= rows.end || columns.first >= columns.end;
        const float divisor = empty ? 1.0f : avg_divisor(g, rows, columns, tall, wide);
        const int spill = may_spill(ox, g->ow, g->c) &&
            may_spill((rows.end - 1) * g->w + columns.end - 1, g->h * g->w, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    mean_block(x + j, g->w, g->c, rows, columns, divisor, y + ox * g->c + j, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

INLINE void avg_grad_block(const avg_pool_shape *g, const float *dy, span oy, span ox, float *dx,
                           int vectors, int64_t lanes) {
    vf sum[4];
    int64_t tall, wide;
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = oy.first; a < oy.end; a++) {
        const span rows =
            avg_window(a, g->kh, g->stride_h, g->pad_top, g->h, g->pad_bottom, &tall);
        for (int64_t b = ox.first; b < ox.end; b++) {
            const span columns =
                avg_window(b, g->kw, g->stride_w, g->pad_left, g->w, g->pad_right, &wide);
            const vf share = splat(1.0f / avg_divisor(g, rows, columns, tall, wide));
            const float *from = dy + (a * g->ow + b) * g->c;
            for (int v = 0; v < vectors; v++)
                sum[v] = vfma(load_n(from + v * LANES, lanes), share, sum[v]);
        }
    }
    for (int v = 0; v < vectors; v++) store_n(dx + v * LANES, sum[v], lanes);
}

static void avg_pool_backward_row(const avg_pool_shape *g, const float *dy, int64_t iy,
                                  float *dx) {
    const span oy = covering(iy, g->kh, 1, g->stride_h, g->pad_top, g->oh);
    span ox = {0, 0};
    for (int64_t ix = 0; ix < g->w; ix++) {
        advance(&ox, ix, g->kw, 1, g->stride_w, g->pad_left, g->ow);
        const int spill =
            may_spill(ix, g->w, g->c) && may_spill((oy.end - 1) * g->ow + ox.end - 1,
                                                   g->oh * g->ow, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    avg_grad_block(g, dy + j, oy, ox, dx + ix * g->c + j, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

/* ---- adaptive average pool: bin i of `out` covers floor(i*size/out) .. ceil((i+1)*size/out) ---- */

INLINE span bin(int64_t i, int64_t size, int64_t out) {
    return (span){i * size / out, ((i + 1) * size + out - 1) / out};
}

static void adaptive_pool_forward_row(const adaptive_pool_shape *g, const float *x, int64_t oy,
                                      float *y) {
    const span rows = bin(oy, g->h, g->oh);
    for (int64_t ox = 0; ox < g->ow; ox++) {
        const span columns = bin(ox, g->w, g->ow);
        const float divisor =
            (float)((rows.end - rows.first) * (columns.end - columns.first));
        const int spill = may_spill(ox, g->ow, g->c) &&
            may_spill((rows.end - 1) * g->w + columns.end - 1, g->h * g->w, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    mean_block(x + j, g->w, g->c, rows, columns, divisor, y + ox * g->c + j, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

INLINE void adaptive_grad_block(const adaptive_pool_shape *g, const float *dy, span oy, span ox,
                                float *dx, int vectors, int64_t lanes) {
    vf sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = oy.first; a < oy.end; a++) {
        const span rows = bin(a, g->h, g->oh);
        for (int64_t b = ox.first; b < ox.end; b++) {
            const span columns = bin(b, g->w, g->ow);
            const vf share = splat(
                1.0f / (float)((rows.end - rows.first) * (columns.end - columns.first)));
            const float *from = dy + (a * g->ow + b) * g->c;
            for (int v = 0; v < vectors; v++)
                sum[v] = vfma(load_n(from + v * LANES, lanes), share, sum[v]);
        }
    }
    for (int v = 0; v < vectors; v++) store_n(dx + v * LANES, sum[v], lanes);
}

static void adaptive_pool_backward_row(const adaptive_pool_shape *g, const float *dy, int64_t iy,
                                       float *dx) {
    /* the bins that cover an input are the bin of that input with the two sizes exchanged */
    const span oy = bin(iy, g->oh, g->h);
    for (int64_t ix = 0; ix < g->w; ix++) {
        const span ox = bin(ix, g->ow, g->w);
        const int spill =
            may_spill(ix, g->w, g->c) && may_spill((oy.end - 1) * g->ow + ox.end - 1,
                                                   g->oh * g->ow, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    adaptive_grad_block(g, dy + j, oy, ox, dx + ix * g->c + j, vectors, lanes)
        OVER_CHANNELS(g->c, spill, BLOCK);
#undef BLOCK
    }
}

#define POOL_KERNELS                                                                              \
    {max_pool_forward_row, max_pool_backward_row, avg_pool_forward_row, avg_pool_backward_row,    \
     adaptive_pool_forward_row, adaptive_pool_backward_row}

/* Max pooling of one output row of an NHWC image. Channels go in blocks of up to 4 vectors. */
#ifndef FASTNN_MAX_POOL_H
#define FASTNN_MAX_POOL_H

#include "norm/simd/norm.h"
#include "pool/simd/windows.h"

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

/* Elements j.. of a pixel: as they are, or behind the norm and a ReLU. */
INLINE vf element(const float *x, const norm_rows *norm, int64_t j, int64_t lanes) {
    const vf value = load_n(x, lanes);
    if (!norm) return value;
    const norm_columns *v = &norm->columns;
    return vmax((vf){0}, norm_value(value - load_n(v->mean + j, lanes),
                                    load_n(v->scale + j, lanes), load_n(v->bias + j, lanes)));
}

/* From one vector of a block to the next: in x, in y and offsets, in channels. */
typedef struct {
    int64_t x, y, channel;
} block_steps;

/* Channels j.. of a window at x, or of windows side by side. */
INLINE void max_block(const max_pool_shape *g, const float *x, const norm_rows *norm, int64_t j,
                      span ky, span kx, float *y, uint8_t *offsets, block_steps step, int vectors,
                      int64_t lanes) {
    const int64_t down = g->dilation_h * g->w * g->c, right = g->dilation_w * g->c;
    const int empty = ky.first >= ky.end || kx.first >= kx.end;
    vf best[4];
    vi index[4];
    for (int v = 0; v < vectors; v++) { /* the first element, which may be -inf, beats padding */
        best[v] = empty ? splat(-__builtin_inff())
                        : element(x + ky.first * down + kx.first * right + v * step.x, norm,
                                  j + v * step.channel, lanes);
        index[v] = (vi){0} + (int32_t)(empty ? 0 : ky.first * g->kw + kx.first);
    }
    for (int64_t a = ky.first; a < ky.end; a++)
        for (int64_t b = kx.first; b < kx.end; b++) {
            const float *from = x + a * down + b * right;
            const vi here = (vi){0} + (int32_t)(a * g->kw + b);
            for (int v = 0; v < vectors; v++)
                take_greater(element(from + v * step.x, norm, j + v * step.channel, lanes), here,
                             &best[v], &index[v]);
        }
    for (int v = 0; v < vectors; v++) {
        store_n(y + v * step.y, best[v], lanes);
        if (offsets) store_bytes(offsets + v * step.y, index[v], lanes);
    }
}

/* The `line` channels of a window at x, or of windows that move on by a pixel and so make one long
 * pixel; `few` as in OVER_CHANNELS. */
INLINE void max_line(const max_pool_shape *g, const float *x, const norm_rows *norm, span ky,
                     span kx, int64_t line, int64_t few, float *y, uint8_t *offsets) {
    const block_steps step = {LANES, LANES, LANES};
#define BLOCK(vectors, lanes, j)                                                                  \
    do {                                                                                          \
        if (vectors > 1 && g->stride_w > 1 && ky.first < ky.end && kx.first < kx.end)             \
            fetch_below(x + j + ky.end * g->dilation_h * g->w * g->c +                            \
                            kx.first * g->dilation_w * g->c,                                      \
                        g->w * g->c, g->stride_h, g->stride_w, g->c, vectors);                    \
        max_block(g, x + j, norm, j, ky, kx, y + j, offsets ? offsets + j : 0, step, vectors,     \
                  lanes);                                                                         \
    } while (0)
    OVER_CHANNELS(line, few, BLOCK);
#undef BLOCK
}

/* `count` whole windows of some vectors of channels: a vector of four windows at a time, as a block
 * of one has too little to do. */
INLINE void max_windows(const max_pool_shape *g, const float *x, const norm_rows *norm, span ky,
                        int64_t count, float *y, uint8_t *offsets) {
    const int64_t c = g->c;
    const block_steps step = {g->stride_w * c, c, 0};
    const span kx = {0, g->kw};
    const int64_t below = ky.end * g->dilation_h * g->w * c;
#define WINDOWS(windows)                                                                          \
    for (; count >= windows; count -= windows) {                                                  \
        for (int64_t i = 0; i < c; i += LANES) {                                                  \
            const int64_t j = smaller(i, c - LANES);                                              \
            fetch_below(x + j + below, g->w * c, g->stride_h, windows * g->stride_w, c, 1);       \
            max_block(g, x + j, norm, j, ky, kx, y + j, offsets ? offsets + j : 0, step, windows, \
                      LANES);                                                                     \
        }                                                                                         \
        x += windows * step.x, y += windows * c;                                                  \
        if (offsets) offsets += windows * c;                                                      \
    }
    WINDOWS(4)
    WINDOWS(1)
#undef WINDOWS
}

/* `count` whole windows of few channels, computed at every pixel as if the stride were 1, so that
 * vectors are full, and then picked out. `room`: pixels that can be stored as whole vectors. */
INLINE void max_dense(const max_pool_shape *g, const float *x, const norm_rows *norm, span ky,
                      int64_t count, int64_t room, float *y, uint8_t *offsets) {
    enum { MOST = 1024 };
    float values[MOST];
    uint8_t winners[MOST];
    const int64_t c = g->c, step = g->stride_w * c;
    const int64_t most = ((norm ? smaller(norm->width, MOST - LANES) : MOST - LANES) - c) / step + 1;
    const span kx = {0, g->kw};
    for (int64_t n; count > 0; count -= n, room -= n, x += n * step) {
        n = smaller(most, count);
        const int64_t line = (n - 1) * step + c;
        max_line(g, x, norm, ky, kx, line, line, values, offsets ? winners : 0);
        for (int64_t i = 0; i < n; i++, y += c) {
            store_n(y, load(values + i * step), i < room ? LANES : c);
            if (!offsets) continue;
            if (i < room) memcpy(offsets, winners + i * step, LANES);
            else for (int64_t j = 0; j < c; j++) offsets[j] = winners[i * step + j];
            offsets += c;
        }
    }
}

INLINE void max_row(const max_pool_shape *g, const float *x, const norm_rows *norm, int64_t oy,
                    float *y, uint8_t *offsets) {
    const int64_t iy0 = oy * g->stride_h - g->pad_top, reach = (g->kw - 1) * g->dilation_w;
    const span ky = inside(iy0, g->kh, g->dilation_h, g->h);
    const int64_t bottom = (iy0 + (ky.end - 1) * g->dilation_h) * g->w;
    const int dense = g->c < LANES && g->stride_w * g->c <= 2 * LANES;
    const int strided = g->stride_w > 1 && ky.first < ky.end && g->c < 4 * LANES &&
        (dense || g->c >= LANES);
    for (int64_t ox = 0, next; ox < g->ow; ox = next) {
        const int64_t ix0 = ox * g->stride_w - g->pad_left, at = ox * g->c;
        const span kx = inside(ix0, g->kw, g->dilation_w, g->w);
        const float *from = x + (iy0 * g->w + ix0) * g->c;
        uint8_t *to = offsets ? offsets + at : 0;
        if (strided && ix0 >= 0 && ix0 + reach < g->w) {
            const int64_t count = smaller(g->ow - ox, (g->w - 1 - reach - ix0) / g->stride_w + 1);
            if (dense)
                max_dense(g, from, norm, ky, count, g->ow - ox - (LANES - 1) / g->c, y + at, to);
            else
                max_windows(g, from, norm, ky, count, y + at, to);
            next = ox + count;
            continue;
        }
        /* whole windows that move on by one pixel: their pixels make one long pixel */
        next = ox + 1;
        if (g->stride_w == 1 && ix0 >= 0)
            next = larger(next, smaller(g->ow, g->w - reach + g->pad_left));
        if (norm) next = smaller(next, ox + norm->width / g->c);
        const int64_t line = (next - ox) * g->c;
        const int room = has_room(ox, g->ow, g->c) &&
            has_room(bottom + ix0 + (kx.end - 1) * g->dilation_w, g->h * g->w, g->c);
        max_line(g, from, norm, ky, kx, line, room ? LANES : line, y + at, to);
    }
}

static void max_pool_forward_row(const max_pool_shape *g, const float *x, const norm_rows *norm,
                                 int64_t oy, float *y, uint8_t *offsets) {
    if (norm) max_row(g, x, norm, oy, y, offsets);
    else if (offsets) max_row(g, x, 0, oy, y, offsets);
    else max_row(g, x, 0, oy, y, 0);
}

#endif

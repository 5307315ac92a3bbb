/* Max pooling of one output row (forward) or some input rows (backward) of an NHWC image.
 *
 * An input pixel adds what the windows over it send in window order, whichever way a backward
 * goes, so the cut of an image into rows changes no bit. Channels go in blocks of up to 4 vectors.
 */
#ifndef FASTNN_POOL_POOL_H
#define FASTNN_POOL_POOL_H

#include "norm/simd/norm.h"
#include "pool/simd/table.h"
#include "simd/sizes.h"
#include "simd/tail.h"

INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return a <= 0 ? 0 : b == 1 ? a : (a + b - 1) / b;
}

/* Run block(vectors, lanes, j) over channels j: wide blocks, then single vectors. The last one
 * begins early enough to be whole, as a block may be done twice; below LANES channels it has
 * `few` lanes: the channels, or LANES where it may go on past the pixel. */
#define OVER_CHANNELS(c, few, block)                                                              \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + 4 * LANES <= (c); j += 4 * LANES) { block(4, LANES, j); }                      \
        for (; j + LANES <= (c); j += LANES) { block(1, LANES, j); }                              \
        if (j < (c) && j) { block(1, LANES, (c) - LANES); }                                       \
        else if (j < (c)) { block(1, few, 0); }                                                   \
    } while (0)

/* Is there room for a vector at pixel i of `pixels`? What it writes past its pixel is written
 * again when the next pixel's turn comes. */
INLINE int has_room(int64_t i, int64_t pixels, int64_t c) {
    return (pixels - i) * c >= LANES;
}

/* The part [first, end) of a window of k steps that lies inside 0..size, from start. */
typedef struct {
    int64_t first, end;
} span;
INLINE span inside(int64_t start, int64_t k, int64_t step, int64_t size) {
    return (span){ceil_div(-start, step), smaller(k, ceil_div(size - start, step))};
}

/* Rows that the next row of outputs needs, to L2: steps of some pixels hide from the processor that
 * they are next. x: the first pixel that is no more read here; columns: pixels in a step. */
INLINE void fetch_below(const float *x, int64_t row, int64_t rows, int64_t columns, int64_t c,
                        int vectors) {
    for (int64_t a = 0; a < rows; a++)
        for (int64_t b = 0; b < columns; b++)
            for (int v = 0; v < vectors; v++)
                __builtin_prefetch(x + a * row + b * c + v * LANES, 0, 2);
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

/* The same for `count` whole windows side by side, of few channels: what a pixel's vectors write
 * too much, the next pixel overwrites. */
INLINE void route_few(const float *dy, const uint8_t *offsets, int64_t index, int64_t columns,
                      int64_t c, int64_t count, float *dx) {
    for (; count > 0; count--, dy += c, offsets += c) {
        const vi value = (vi)load(dy), winner = load_bytes(offsets, LANES);
        vi here = (vi){0} + (int32_t)index;
        for (int64_t k = 0; k < columns; k++, dx += c, here += 1)
            store(dx, (vf)((winner == here) & value));
    }
}

/* Row iy of dx, of `rows` that are still to be written, when windows do not overlap: each output
 * writes its own columns. */
static void max_pool_route_row(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                               int64_t iy, int64_t rows, float *dx) {
    const int64_t oy = (iy + g->pad_top) / g->stride_h, c = g->c;
    const int64_t ky = iy + g->pad_top - oy * g->stride_h;
    int64_t done = 0; /* columns of dx that are written */
    for (int64_t ox = 0; oy < g->oh && ky < g->kh && ox < g->ow; ox++) {
        const int64_t ix0 = ox * g->stride_w - g->pad_left, at = (oy * g->ow + ox) * c;
        const span kx = inside(ix0, g->kw, 1, g->w);
        const int64_t columns = kx.end - kx.first, ix = ix0 + kx.first;
        if (columns <= 0) continue;
        if (ix > done) memset(dx + done * c, 0, (size_t)((ix - done) * c) * sizeof(float));
        if (c <= LANES && columns == g->stride_w) { /* while there is room for vectors */
            const int64_t spare = (LANES - 1) / c;
            const int64_t inside = smaller(g->w, rows * g->w - spare) - ix;
            const int64_t count = smaller(smaller(g->ow, (g->oh - oy) * g->ow - spare) - ox,
                                          inside / columns);
            if (count > 0) {
                route_few(dy + at, offsets + at, ky * g->kw, columns, c, count, dx + ix * c);
                done = ix + count * columns;
                ox += count - 1;
                continue;
            }
        }
        done = ix + columns;
        const int past = has_room(oy * g->ow + ox, g->oh * g->ow, c);
        const int room = past && has_room(done - 1, g->w, c);
        const int64_t index = ky * g->kw + kx.first;
#define BLOCK(vectors, lanes, j)                                                                  \
    route_block(dy + at + j, offsets + at + j, index, columns, c, dx + ix * c + j, vectors, lanes, \
                past ? LANES : lanes)
        OVER_CHANNELS(c, room ? LANES : c, BLOCK);
#undef BLOCK
    }
    memset(dx + done * c, 0, (size_t)((g->w - done) * c) * sizeof(float));
}

/* Row iy of dx, gathered from the windows over each pixel: whole vectors, but a look at every
 * element of every window. */
static void max_pool_gather_row(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                                int64_t iy, float *dx) {
    const span oy = covering(iy, g->kh, g->dilation_h, g->stride_h, g->pad_top, g->oh);
    const int64_t reach = (g->kw - 1) * g->dilation_w;
    span ox = {0, 0};
    for (int64_t ix = 0, next; ix < g->w; ix = next) {
        advance(&ox, ix, g->kw, g->dilation_w, g->stride_w, g->pad_left, g->ow);
        next = ix + 1; /* as in max_row: pixels under as many windows make one long pixel */
        if (g->stride_w == 1 && ix + g->pad_left >= reach)
            next = larger(next, smaller(g->w, g->ow - g->pad_left));
        const int64_t line = (next - ix) * g->c;
        const int room = has_room(ix, g->w, g->c) &&
            has_room((oy.end - 1) * g->ow + ox.end - 1, g->oh * g->ow, g->c);
#define BLOCK(vectors, lanes, j)                                                                  \
    max_grad_block(g, dy + j, offsets + j, oy, ox, iy, ix, dx + ix * g->c + j, vectors, lanes)
        OVER_CHANNELS(line, room ? LANES : line, BLOCK);
#undef BLOCK
    }
}

/* to[place[winner] + j] += dy[j] for the winners first .. first + last */
INLINE void scatter_pixel(int64_t c, const float *restrict dy, const uint8_t *restrict offsets,
                          const int64_t *restrict place, uint8_t first, uint8_t last,
                          float *restrict to) {
    for (int64_t j = 0; j < c; j++)
        if ((uint8_t)(offsets[j] - first) <= last) to[place[offsets[j]] + j] += dy[j];
}

/* Rows first..end of dx, scattered from the winners: one look at each, a lane at a time. */
static void max_pool_scatter_rows(const max_pool_shape *g, const float *dy,
                                  const uint8_t *offsets, int64_t first, int64_t end, float *dx) {
    int64_t place[256] = {0}; /* of each element of a window, from its corner */
    const int64_t c = g->c;
    for (int64_t a = 0; a < g->kh; a++)
        for (int64_t b = 0; b < g->kw; b++)
            place[a * g->kw + b] = (a * g->dilation_h * g->w + b * g->dilation_w) * c;
    memset(dx + first * g->w * c, 0, (size_t)((end - first) * g->w * c) * sizeof(float));
    const span over = covering(first, g->kh, g->dilation_h, g->stride_h, g->pad_top, g->oh);
    for (int64_t oy = over.first; oy < g->oh && oy * g->stride_h - g->pad_top < end; oy++) {
        const int64_t iy0 = oy * g->stride_h - g->pad_top;
        const span ky = inside(iy0 - first, g->kh, g->dilation_h, end - first);
        if (ky.first >= ky.end) continue;
        const uint8_t least = (uint8_t)(ky.first * g->kw);
        const uint8_t last = (uint8_t)((ky.end - ky.first) * g->kw - 1);
        for (int64_t ox = 0; ox < g->ow; ox++) {
            const int64_t ix0 = ox * g->stride_w - g->pad_left, at = (oy * g->ow + ox) * c;
            const span kx = inside(ix0, g->kw, g->dilation_w, g->w);
            float *to = dx + (iy0 * g->w + ix0) * c;
            if (kx.first >= kx.end) continue;
            if (last == g->kh * g->kw - 1)
                scatter_pixel(c, dy + at, offsets + at, place, 0, 255, to);
            else
                scatter_pixel(c, dy + at, offsets + at, place, least, last, to);
        }
    }
}

/* Is the gather faster? Measured: the scatter costs as much as a look of the gather at 9 / 8 of
 * LANES elements, or at LANES of them where the gather cannot go along a whole row. */
INLINE int gather_pays(const max_pool_shape *g) {
    const int64_t looks = g->kh * g->kw;
    if (g->stride_w == 1) return looks * 8 <= LANES * 9;
    return looks < LANES && g->c >= 4 * LANES;
}

static void max_pool_backward_rows(const max_pool_shape *g, const float *dy,
                                   const uint8_t *offsets, int64_t first, int64_t end, float *dx) {
    const int plain = g->dilation_h == 1 && g->dilation_w == 1;
    const int apart = plain && g->stride_h >= g->kh && g->stride_w >= g->kw;
    if (!apart && !gather_pays(g)) {
        max_pool_scatter_rows(g, dy, offsets, first, end, dx);
        return;
    }
    for (int64_t iy = first; iy < end; iy++) {
        float *row = dx + iy * g->w * g->c;
        if (apart) max_pool_route_row(g, dy, offsets, iy, end - iy, row);
        else max_pool_gather_row(g, dy, offsets, iy, row);
    }
}

#endif

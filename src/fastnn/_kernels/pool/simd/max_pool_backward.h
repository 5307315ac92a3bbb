/* The gradient of max pooling, for some input rows of an NHWC image.
 *
 * An input pixel adds what the windows over it send in window order, whichever way a backward
 * goes, so the cut of an image into rows changes no bit. Channels go in blocks of up to 4 vectors.
 */
#ifndef FASTNN_MAX_POOL_BACKWARD_H
#define FASTNN_MAX_POOL_BACKWARD_H

#include "pool/simd/windows.h"

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

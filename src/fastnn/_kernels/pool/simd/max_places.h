/* Max pooling of one output row of an NHWC image that stores each winner's place in the image. For
 * windows of any size, and for the bins of adaptive pooling. */
#ifndef FASTNN_MAX_PLACES_H
#define FASTNN_MAX_PLACES_H

#include "pool/simd/average.h"

/* The inputs first, first + step, .. of window o along an axis; k = 0: of bin o. */
typedef struct {
    int64_t first, count, step;
} pool_steps;
INLINE pool_steps steps_at(int64_t o, int64_t k, int64_t stride, int64_t pad, int64_t dilation,
                           int64_t size, int64_t out) {
    if (k) {
        const int64_t start = o * stride - pad;
        const span part = inside(start, k, dilation, size);
        return (pool_steps){start + part.first * dilation, larger(part.end - part.first, 0),
                            dilation};
    }
    const pool_axis axis = {size, out, 0, 0, 0, 0, 0};
    const pool_window bin = window_at(&axis, o);
    return (pool_steps){bin.first, bin.end - bin.first, 1};
}

INLINE void take_place(int64_t c, const float *restrict x, int64_t here, float *restrict y,
                       int64_t *restrict places) {
    for (int64_t j = 0; j < c; j++) {
        const float best = y[j], value = x[j];
        const int take = !(value <= best) & (best == best); /* the first NaN stays */
        y[j] = take ? value : best;
        places[j] = take ? here : places[j];
    }
}

static void max_places_row(const max_pool_shape *g, const float *x, int64_t oy, float *y,
                           int64_t *places) {
    const int64_t c = g->c;
    const pool_steps rows = steps_at(oy, g->kh, g->stride_h, g->pad_top, g->dilation_h, g->h,
                                     g->oh);
    for (int64_t ox = 0; ox < g->ow; ox++, y += c, places += c) {
        const pool_steps columns = steps_at(ox, g->kw, g->stride_w, g->pad_left, g->dilation_w,
                                            g->w, g->ow);
        const int empty = !rows.count || !columns.count;
        const int64_t first = empty ? 0 : rows.first * g->w + columns.first;
        for (int64_t j = 0; j < c; j++) { /* the first element, which may be -inf, beats padding */
            y[j] = empty ? -__builtin_inff() : x[first * c + j];
            places[j] = first;
        }
        if (empty) continue;
        for (int64_t a = 0; a < rows.count; a++)
            for (int64_t b = 0; b < columns.count; b++) {
                const int64_t here = (rows.first + a * rows.step) * g->w + columns.first +
                    b * columns.step;
                take_place(c, x + here * c, here, y, places);
            }
    }
}

#endif

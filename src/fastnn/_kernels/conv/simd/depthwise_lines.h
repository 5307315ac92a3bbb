/* Depthwise convolution with one output per channel: along the lines of an image, without pointers.
 *
 * A line falls into pixels at its borders, each with taps of its own, and a run of pixels that have
 * all taps. Where pixels lie side by side, some of them make one unit of whole vectors, so
 * that a few channels fill vectors too; weights are repeated for each pixel of a unit.
 */
#ifndef FASTNN_CONV_DEPTHWISE_LINES_H
#define FASTNN_CONV_DEPTHWISE_LINES_H

#include "linear/simd/gemm.h"
#include "conv/simd/lines_table.h"

typedef struct {
    int64_t taps, channels;
    const int64_t *offset, *slice; /* of each tap: floats from a pixel of x; which weights */
    int64_t x_step, y_step;        /* floats from one pixel to the next */
    int64_t unit;                  /* pixels in a unit */
    const float *weights, *bias;   /* [slice][unit * channels]; [unit * channels] or NULL */
    int64_t ahead;  /* floats from a pixel of x to the line that is needed next */
    int64_t y_line; /* floats from a line of y (or dy) to the next */
    int relu;
    float *sums;     /* of a weight gradient, as the weights */
} depthwise_job;

/* Of a run of pixels: x and y (or dy) of the first one. */
typedef void depthwise_run(const depthwise_job *g, const float *x, float *y, int64_t pixels);

/* Pixels in one unit: 1 where vectors of channels are nearly full, or pixels lie apart. */
static int64_t unit_pixels(int64_t channels, int64_t slices, int side_by_side) {
    int64_t pixels = 1;
    while (pixels * channels % LANES) pixels *= 2;
    if (!side_by_side || 10 * channels >= 9 * whole(channels, LANES)) return 1;
    return slices * pixels * channels <= LINES_FLOATS ? pixels : 1;
}

/* Call run for the pixels [first, first + count) of the source's grid. scratch: [4][taps]. */
static void depthwise_walk(const pixel_grid *source, const conv_tap *tap, int64_t taps,
                           const float *x, const pixel_grid *target, const conv_tap *place,
                           float *y, int64_t first, int64_t count, depthwise_job *job,
                           depthwise_run *run, int64_t *scratch) {
    const int64_t c = job->channels, width = source->width, step = source->step_w;
    const int64_t step_h = source->step_h;
    int64_t j = first % source->columns, line = first / source->columns, n;
    for (; count > 0; count -= n, j = 0, line++) {
        const int64_t i = line % source->rows, image = line / source->rows;
        const float *from = x + (image * source->height + i * source->step_h) * width * c;
        float *to = y + ((image * target->height + i * target->step_h + place->offset_h) *
                             target->width + place->offset_w) * c;
        int64_t inside = 0, low = 0, high = source->columns; /* taps, columns that have all */
        for (int64_t t = 0; t < taps; t++) {
            const int64_t row = i * source->step_h + tap[t].offset_h, right = tap[t].offset_w;
            if (row < 0 || row >= source->height) continue;
            scratch[inside] = (tap[t].offset_h * width + right) * c;
            job->ahead = larger(job->ahead, (tap[t].offset_h + step_h) * width * c);
            scratch[taps + inside++] = tap[t].slice;
            if (right < 0) low = larger(low, (step - 1 - right) / step);
            high = smaller(high, right < width ? (width - 1 - right) / step + 1 : 0);
        }
        n = smaller(count, source->columns - j);
        for (int64_t q = j, next; q < j + n; q = next) {
            job->taps = inside, job->offset = scratch, job->slice = scratch + taps;
            next = smaller(j + n, high);
            if (q < low || q >= high) { /* the taps of this pixel alone */
                int64_t *own = scratch + 2 * taps, own_taps = 0;
                for (int64_t t = 0; t < taps; t++) {
                    const int64_t row = i * source->step_h + tap[t].offset_h;
                    const int64_t column = q * step + tap[t].offset_w;
                    if (row < 0 || row >= source->height || column < 0 || column >= width) continue;
                    own[own_taps] = (tap[t].offset_h * width + tap[t].offset_w) * c;
                    own[taps + own_taps++] = tap[t].slice;
                }
                job->taps = own_taps, job->offset = own, job->slice = own + taps;
                next = q + 1;
            }
            run(job, from + q * job->x_step, to + q * job->y_step, next - q);
        }
    }
}

/* ---- forward and input gradient ---- */

#define UNROLL_8 _Pragma("GCC unroll 8")

/* One vector of each of `units` units. */
INLINE void lines_tile(const depthwise_job *g, const float *x, int64_t x_step, float *y,
                       int64_t y_step, int64_t floats, int64_t lane, const int units,
                       const int is_whole) {
    const vf zero = {0};
    const int64_t n = floats - lane;
    const int64_t pitch = g->unit * g->channels;
    vf sum[8];
    vf start = zero;
    if (g->bias) start = is_whole ? load(g->bias + lane) : load_head(g->bias + lane, n);
    UNROLL_8
    for (int r = 0; r < units; r++) {
        sum[r] = start;
        /* to L2, as L1 is full of lines; the processor does not prefetch such strides */
        __builtin_prefetch(x + g->ahead + r * x_step + lane, 0, 2);
        __builtin_prefetch(y + g->y_line + r * y_step + lane, 1, 2);
    }
    for (int64_t t = 0; t < g->taps; t++) {
        const float *w = g->weights + g->slice[t] * pitch + lane, *from = x + g->offset[t] + lane;
        const vf weight = is_whole ? load(w) : load_head(w, n);
        UNROLL_8
        for (int r = 0; r < units; r++)
            sum[r] += weight * (is_whole ? load(from + r * x_step)
                                         : load_head(from + r * x_step, n));
    }
    UNROLL_8
    for (int r = 0; r < units; r++) {
        const vf out = g->relu ? vmax(zero, sum[r]) : sum[r];
        if (is_whole) store(y + r * y_step + lane, out);
        else store_head(y + r * y_step + lane, out, n);
    }
}

#define LINES_UNITS(units)                                                                        \
    case units:                                                                                   \
        for (; lane + LANES <= floats; lane += LANES)                                             \
            lines_tile(g, x, x_step, y, y_step, floats, lane, units, 1);                          \
        if (lane < floats) lines_tile(g, x, x_step, y, y_step, floats, lane, units, 0);           \
        break;

/* `count` units of so many floats, in even tiles: those of one unit load its weights for it alone. */
static void lines_units(const depthwise_job *g, const float *x, int64_t x_step, float *y,
                        int64_t y_step, int64_t floats, int64_t count) {
    const int64_t part = even_part(count, 8, 1);
    for (int64_t r = 0, rows; r < count; r += rows, x += rows * x_step, y += rows * y_step) {
        int64_t lane = 0;
        rows = smaller(part, count - r);
        switch (rows) {
            LINES_UNITS(1) LINES_UNITS(2) LINES_UNITS(3) LINES_UNITS(4)
            LINES_UNITS(5) LINES_UNITS(6) LINES_UNITS(7) LINES_UNITS(8)
        }
    }
}

static void lines_run(const depthwise_job *g, const float *x, float *y, int64_t pixels) {
    const int64_t units = pixels / g->unit, done = units * g->unit, c = g->channels;
    lines_units(g, x, g->unit * g->x_step, y, g->unit * g->y_step, g->unit * c, units);
    if (pixels > done) /* part of a unit, whose pixels lie side by side */
        lines_units(g, x + done * c, 0, y + done * c, 0, (pixels - done) * c, 1);
}

/* out[slices][unit][channels] = w[slices][channels], for each pixel of a unit. */
static void repeat_weights(const float *w, int64_t slices, int64_t channels, int64_t unit,
                           float *out) {
    for (int64_t t = 0; t < slices; t++, w += channels)
        for (int64_t u = 0; u < unit; u++, out += channels)
            memcpy(out, w, (size_t)channels * 4);
}

/* Scratch: lists of taps, repeated weights, repeated bias. */
static void depthwise_lines(const conv_product *g, int64_t first, int64_t count, char *scratch) {
    const int side_by_side = g->source.step_w == 1 && g->target.step_w == 1;
    int64_t *lists = (int64_t *)scratch;
    float *repeated = (float *)(scratch + whole(32 * g->slices, 64));
    depthwise_job job = {.channels = g->columns, .x_step = g->source.step_w * g->columns,
                         .y_step = g->target.step_w * g->columns,
                         .y_line = g->target.step_h * g->target.width * g->columns,
                         .weights = g->packed, .bias = g->bias, .relu = (int)g->relu};
    job.unit = unit_pixels(g->columns, g->slices, side_by_side);
    if (job.unit > 1) {
        repeat_weights(g->packed, g->slices, g->columns, job.unit, repeated);
        job.weights = repeated;
        repeated += g->slices * job.unit * g->columns;
        if (g->bias) {
            repeat_weights(g->bias, 1, g->columns, job.unit, repeated);
            job.bias = repeated;
        }
    }
    depthwise_walk(&g->source, g->tap, g->taps, g->x, &g->target, &g->place, g->y, first, count,
                   &job, lines_run, lists);
}

/* ---- weight gradient ---- */

enum { LINES_TAPS = 9 }; /* whose sums are in registers: all of a 3x3 kernel */

/* One vector of the sums of `taps` taps, over units that lie x_step and y_step apart. */
INLINE void lines_outer_tile(const depthwise_job *g, int64_t tap, const float *x, int64_t x_step,
                             const float *dy, int64_t y_step, int64_t floats, int64_t lane,
                             int64_t count, const int taps, const int is_whole) {
    const int64_t n = floats - lane, pitch = g->unit * g->channels;
    const float *from[LINES_TAPS];
    vf sum[LINES_TAPS];
    _Pragma("GCC unroll 9")
    for (int t = 0; t < taps; t++) {
        from[t] = x + g->offset[tap + t] + lane;
        sum[t] = (vf){0};
    }
    dy += lane;
    for (int64_t r = 0; r < count; r++, dy += y_step) {
        const vf factor = is_whole ? load(dy) : load_head(dy, n);
        __builtin_prefetch(x + g->ahead + r * x_step + lane, 0, 2);
        __builtin_prefetch(dy + g->y_line, 0, 2);
        _Pragma("GCC unroll 9")
        for (int t = 0; t < taps; t++)
            sum[t] += factor * (is_whole ? load(from[t] + r * x_step)
                                         : load_head(from[t] + r * x_step, n));
    }
    _Pragma("GCC unroll 9")
    for (int t = 0; t < taps; t++) {
        float *out = g->sums + g->slice[tap + t] * pitch + lane;
        if (is_whole) store(out, load(out) + sum[t]);
        else store_head(out, load_head(out, n) + sum[t], n);
    }
}

#define LINES_CASE(taps)                                                                          \
    case taps:                                                                                    \
        for (; lane + LANES <= floats; lane += LANES)                                             \
            lines_outer_tile(g, tap, x, x_step, dy, y_step, floats, lane, count, taps, 1);        \
        if (lane < floats)                                                                        \
            lines_outer_tile(g, tap, x, x_step, dy, y_step, floats, lane, count, taps, 0);        \
        break;

static void lines_outer_units(const depthwise_job *g, const float *x, int64_t x_step,
                              const float *dy, int64_t y_step, int64_t floats, int64_t count) {
    const int64_t part = even_part(g->taps, LINES_TAPS, 1);
    for (int64_t tap = 0; tap < g->taps; tap += part) {
        int64_t lane = 0;
        switch (smaller(part, g->taps - tap)) {
            LINES_CASE(1) LINES_CASE(2) LINES_CASE(3) LINES_CASE(4) LINES_CASE(5)
            LINES_CASE(6) LINES_CASE(7) LINES_CASE(8) LINES_CASE(9)
        }
    }
}

static void lines_outer_run(const depthwise_job *g, const float *x, float *dy, int64_t pixels) {
    const int64_t units = pixels / g->unit, done = units * g->unit, c = g->channels;
    lines_outer_units(g, x, g->unit * g->x_step, dy, g->unit * g->y_step, g->unit * c, units);
    if (pixels > done)
        lines_outer_units(g, x + done * c, 0, dy + done * c, 0, (pixels - done) * c, 1);
}

/* Scratch: lists of taps, the sums of a unit. */
static void depthwise_lines_outer(const outer_product *g, int64_t first, int64_t count, float *dw,
                                  char *scratch) {
    const int64_t c = g->depth;
    const conv_tap place = {0};
    float *sums = (float *)(scratch + whole(32 * g->taps, 64));
    pixel_grid target = {.height = g->source.rows, .width = g->source.columns, .step_h = 1};
    depthwise_job job = {.channels = c, .x_step = g->source.step_w * c, .y_step = c,
                         .y_line = g->source.columns * c};
    job.unit = unit_pixels(c, g->taps, g->source.step_w == 1);
    job.sums = job.unit > 1 ? sums : dw;
    memset(job.sums, 0, (size_t)(g->taps * job.unit * c) * 4);
    /* dy is only read */
    depthwise_walk(&g->source, g->tap, g->taps, g->x, &target, &place, (float *)g->dy, first, count,
                   &job, lines_outer_run, (int64_t *)scratch);
    for (int64_t t = 0; job.unit > 1 && t < g->taps; t++)
        for (int64_t i = 0; i < c; i++) {
            float sum = sums[t * job.unit * c + i];
            for (int64_t u = 1; u < job.unit; u++) sum += sums[(t * job.unit + u) * c + i];
            dw[t * c + i] = sum;
        }
}

#endif

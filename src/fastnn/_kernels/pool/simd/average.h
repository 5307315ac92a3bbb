/* Average pooling of one output row (forward) or some input rows (backward) of an NHWC image.
 *
 * The windows of an axis have one size and a stride, or are the bins of adaptive pooling, which
 * are the same where the sizes divide. Where windows move on by one pixel, the pixels of a row
 * make one long pixel. In the backward, neighbours under the same windows have the same gradient:
 * it is computed for the first pixel and the first row of them, and copied.
 */
#ifndef FASTNN_POOL_AVERAGE_H
#define FASTNN_POOL_AVERAGE_H

#include "pool/simd/windows.h"

/* The inputs first..end in a window, and how many it is divided by. */
typedef struct {
    int64_t first, end, count;
} pool_window;

INLINE int64_t quotient(int64_t a, int64_t b) {
    return (a | b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}

/* The window of output o, clipped to the padded input (PyTorch's size), and to the input; bin o
 * of `out` goes from floor(o * size / out) to ceil((o + 1) * size / out). */
INLINE pool_window window_at(const pool_axis *axis, int64_t o) {
    pool_window own;
    if (axis->k) {
        const int64_t start = o * axis->stride - axis->pad;
        const int64_t stop = smaller(start + axis->k, axis->size + axis->pad_end);
        own.first = larger(start, 0);
        own.end = smaller(stop, axis->size);
        own.count = axis->count_padding ? stop - start : own.end - own.first;
    } else {
        own.first = quotient(o * axis->size, axis->out);
        own.end = quotient((o + 1) * axis->size + axis->out - 1, axis->out);
        own.count = own.end - own.first;
    }
    return own;
}

/* y = sum of x[rows][columns] / divisor for few channels, of which whole pixels fill a vector:
 * vectors run along the rows, and their lanes are added by channel at the end. */
INLINE void mean_few(const float *x, int64_t w, int64_t c, pool_window rows, pool_window columns,
                     float divisor, float *y) {
    const int64_t line = (columns.end - columns.first) * c;
    float lanes[LANES];
    vf sum = {0};
    for (int64_t a = rows.first; a < rows.end; a++) {
        const float *from = x + (a * w + columns.first) * c;
        vf row = {0}; /* a sum per row first: large windows keep their accuracy */
        int64_t i = 0;
        for (; i + LANES <= line; i += LANES) row += load(from + i);
        if (i < line) row += load_head(from + i, line - i);
        sum += row;
    }
    store(lanes, sum);
    for (int64_t half = LANES / 2; half >= c; half /= 2)
        for (int64_t i = 0; i < half; i++) lanes[i] += lanes[i + half];
    for (int64_t i = 0; i < c; i++) y[i] = lanes[i] / divisor;
}

/* y = sum of x[rows of y][columns of x] / divisor */
INLINE void mean_block(const float *x, int64_t w, int64_t c, pool_window rows, pool_window columns,
                       float divisor, const pool_axis *axis, float *y, int vectors,
                       int64_t lanes) {
    vf sum[4];
    if (vectors > 1 && axis->stride > 1)
        fetch_below(x + (rows.end * w + columns.first) * c, w * c, rows.end - rows.first,
                    axis->stride, c, vectors);
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

static void average_forward_row(const average_shape *g, const float *x, int64_t oy, float *y) {
    const pool_axis *axis = &g->columns;
    const pool_window rows = window_at(&g->rows, oy);
    const int64_t c = g->c, w = axis->size;
    for (int64_t ox = 0, next; ox < axis->out; ox = next) {
        const pool_window columns = window_at(axis, ox);
        const int empty = rows.first >= rows.end || columns.first >= columns.end;
        const float divisor =
            (float)(empty ? 1 : g->divisor ? g->divisor : rows.count * columns.count);
        next = ox + 1;
        if (axis->stride == 1 && ox >= axis->pad) /* until the last whole window */
            next = larger(next, smaller(axis->out, w - axis->k + axis->pad + 1));
        const int64_t line = (next - ox) * c;
        if (next == ox + 1 && LANES % c == 0 && (columns.end - columns.first) * c >= 2 * LANES) {
            mean_few(x, w, c, rows, columns, divisor, y + ox * c);
            continue;
        }
        const int room = has_room(ox, axis->out, c) &&
            has_room((rows.end - 1) * w + columns.end - 1, g->rows.size * w, c);
#define BLOCK(vectors, lanes, j)                                                                  \
    mean_block(x + j, w, c, rows, columns, divisor, axis, y + ox * c + j, vectors, lanes)
        OVER_CHANNELS(line, room ? LANES : line, BLOCK);
#undef BLOCK
    }
}

/* ---- backward ---- */

/* Move `out`, the windows that hold an input before i, on to those that hold input i. */
INLINE void cover(const pool_axis *axis, int64_t i, span *out) {
    while (out->end < axis->out && window_at(axis, out->end).first <= i) out->end++;
    while (out->first < out->end && window_at(axis, out->first).end <= i) out->first++;
}

/* The end of the inputs that only the windows `out` hold, as they do input i. */
INLINE int64_t alike_until(const pool_axis *axis, span out) {
    int64_t end = axis->size;
    if (out.end < axis->out) end = smaller(end, window_at(axis, out.end).first);
    if (out.first < out.end) end = smaller(end, window_at(axis, out.first).end);
    return end;
}

/* Pixels [first, end) of a row under the same windows or, where windows move on by one pixel, as
 * one long pixel under those of its first one. count: of the inputs of each window's columns, or 0
 * where they differ. */
typedef struct {
    int64_t first, end, count;
    span windows;
    int is_long;
} piece;

/* The piece that begins at ix; *ox moves on to the windows of its last pixel. */
INLINE piece piece_at(const pool_axis *axis, int64_t ix, span *ox) {
    cover(axis, ix, ox);
    piece own = {.first = ix, .windows = *ox};
    int64_t moved = 1;
    if (axis->stride == 1 && ix >= axis->k - 1) /* while all windows are whole */
        moved = smaller(axis->out - axis->pad, axis->size - axis->k + 1) - ix;
    own.is_long = moved > 1;
    own.end = own.is_long ? ix + moved : alike_until(axis, *ox);
    for (int64_t o = ox->first; o < ox->end; o++) {
        const int64_t count = window_at(axis, o).count;
        if (o > ox->first && count != own.count) {
            own.count = 0;
            break;
        }
        own.count = count;
    }
    if (own.is_long) *ox = (span){ox->first + moved - 1, ox->end + moved - 1};
    return own;
}

/* Each pixel of a piece of dx = sum of dy / count over its windows and those of the rows, oy. The
 * last `tight` pixels have no room for a vector, but for `lanes` of it. */
INLINE void share_block(const average_shape *g, const float *dy, span oy, const piece *at,
                        int64_t tight, float *dx, int vectors, int64_t read, int64_t lanes) {
    const int64_t c = g->c, pixels = at->is_long ? 1 : at->end - at->first;
    vf sum[4], share = {0};
    int64_t last = 0;
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = oy.first; a < oy.end; a++) {
        const int64_t rows = window_at(&g->rows, a).count;
        const float *from = dy + (a * g->columns.out + at->windows.first) * c;
        for (int64_t b = at->windows.first; b < at->windows.end; b++, from += c) {
            const int64_t count =
                g->divisor ? g->divisor
                           : rows * (at->count ? at->count : window_at(&g->columns, b).count);
            if (count != last) share = splat(1.0f / (float)count);
            last = count;
            for (int v = 0; v < vectors; v++)
                sum[v] = vfma(load_n(from + v * LANES, read), share, sum[v]);
        }
    }
    int64_t i = 0;
    for (; i < pixels - tight; i++)
        for (int v = 0; v < vectors; v++) store(dx + i * c + v * LANES, sum[v]);
    for (; i < pixels; i++)
        for (int v = 0; v < vectors; v++) store_n(dx + i * c + v * LANES, sum[v], lanes);
}

/* Some pieces of a row of dx, under the windows oy of the rows. */
INLINE void average_grad_row(const average_shape *g, const float *dy, span oy, const piece *at,
                             int64_t pieces, float *dx) {
    const pool_axis *axis = &g->columns;
    const int64_t c = g->c;
    /* pixels before this one have room for a vector */
    const int64_t roomy = c >= LANES ? axis->size : axis->size - (LANES - 1) / c;
    for (const piece *end = at + pieces; at < end; at++) {
        const int room =
            has_room((oy.end - 1) * axis->out + at->windows.end - 1, g->rows.out * axis->out, c);
        const int64_t pixels = at->end - at->first, line = at->is_long ? pixels * c : c;
        const int64_t tight =
            larger(0, at->is_long ? at->first + 1 - roomy : smaller(pixels, at->end - roomy));
#define BLOCK(vectors, lanes, j)                                                                  \
    share_block(g, dy + j, oy, at, tight, dx + at->first * c + j, vectors, lanes, line)
        OVER_CHANNELS(line, room ? LANES : line, BLOCK);
#undef BLOCK
    }
}

/* Rows first..end of dx, in strips of some pieces: what a row's windows are is found once. */
static void average_backward_rows(const average_shape *g, const float *dy, int64_t first,
                                  int64_t end, float *dx) {
    enum { PIECES = 128 };
    const int64_t line = g->columns.size * g->c;
    piece strip[PIECES];
    span ox = {0, 0};
    for (int64_t left = 0, pieces; left < g->columns.size; left = strip[pieces - 1].end) {
        int64_t right = left;
        for (pieces = 0; pieces < PIECES && right < g->columns.size; right = strip[pieces++].end)
            strip[pieces] = piece_at(&g->columns, right, &ox);
        span oy = {0, 0};
        for (int64_t iy = first, next; iy < end; iy = next) {
            float *row = dx + iy * line, *from = row + left * g->c;
            cover(&g->rows, iy, &oy);
            next = smaller(end, alike_until(&g->rows, oy));
            average_grad_row(g, dy, oy, strip, pieces, row);
            for (int64_t done = 1; done < next - iy; done++)
                memcpy(from + done * line, from, (size_t)((right - left) * g->c) * sizeof(float));
        }
    }
}

#endif

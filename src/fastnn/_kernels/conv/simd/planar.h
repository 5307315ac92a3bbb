/* Convolution of few channels: vectors run along the lines of an image, not along its channels.
 *
 * A block of lines is laid out with one line per channel and zeros on both sides, so that a tap
 * is a shift. Forward, tiles are channels of the target times vectors of a line. In the weight
 * gradient each value of dw is a sum of products of vectors, whose lanes are added
 * once, at the end.
 */
#ifndef FASTNN_CONV_PLANAR_H
#define FASTNN_CONV_PLANAR_H

#include "linear/simd/inner.h"
#include "conv/simd/planar_table.h"

/* Channels of pixels [0, end), `step` floats apart, of which those from count on are zeros: channel
 * c of pixel p goes to out[p / LANES * vector + p % LANES + c * line]. Up to three channels too
 * many are written, which what is laid out next overwrites. */
static void split_pixels(const float *x, int64_t step, int64_t count, int64_t end,
                         int64_t channels, float *out, int64_t vector, int64_t line) {
    float rest[4 * PLANAR_CHANNELS + 4];
    if (step == 1) { /* what is written is x, either way */
        int64_t p = 0;
        for (; p + LANES <= count; p += LANES) store(out + p, load(x + p));
        if (p < count) store_head(out + p, load_head(x + p, count - p), smaller(LANES, end - p));
        return;
    }
    const int64_t safe = (count - 1) * step + channels - whole(channels, 4);
    for (int64_t p = 0; p < end; p += 4, x += 4 * step) {
        float *to = out + p / LANES * vector + p % LANES;
        const float *from = x;
        int64_t from_step = step;
        if ((p + 3) * step > safe) { /* only pixels of this line are read */
            int64_t n = smaller(4, larger(0, count - p));
            for (int64_t q = 0; q < n; q++)
                for (int64_t c = 0; c < channels; c++) rest[q * channels + c] = x[q * step + c];
            for (int64_t i = n * channels; i < 4 * channels + 4; i++) rest[i] = 0;
            from = rest;
            from_step = channels;
        }
        for (int64_t c = 0; c < channels; c += 4)
            turn_4x4(from + c, from_step, to + c * line, line);
    }
}

/* y[count][channels] = lines[channels][pitch]^T, pixels `step` floats apart. Where they lie side by
 * side, the last channels of a pixel are written with up to three floats of the next pixel, which
 * comes later. */
static void join_pixels(const float *lines, int64_t pitch, int64_t count, int64_t channels,
                        float *y, int64_t step) {
    float rest[4 * PLANAR_CHANNELS + 4];
    const int exact = step > channels && channels % 4; /* what lies between is not ours */
    for (int64_t p = 0; p < count; p += 4, y += 4 * step) {
        const int apart = exact || (p + 4 > count) || (p + 4) * step + 3 > count * step;
        float *to = apart ? rest : y;
        const int64_t to_step = apart ? channels : step;
        for (int64_t c = (channels - 1) / 4 * 4; c >= 0; c -= 4)
            turn_4x4(lines + c * pitch + p, pitch, to + c, to_step);
        for (int64_t q = 0; apart && q < smaller(4, count - p); q++)
            memcpy(y + q * step, rest + q * channels, (size_t)channels * 4);
    }
}

/* out[row][channel][pitch]: what lines [line, end) of the target read, zeros beside the image.
 * Rows outside of the image are zeros too, or left alone. */
static void planar_source(const planar_shape *v, const float *x, int64_t line, int64_t end,
                          int zero_rows, float *out) {
    const vf zero = {0};
    int64_t pitch = planar_pitch(v), rows = end - line + v->kh - 1, width = v->ow + v->kw - 1;
    int64_t left = smaller(width, larger(0, v->left)), skip = larger(0, -v->left);
    int64_t inside = larger(0, smaller(width - left, v->w - skip));
    for (int64_t r = 0; r < rows; r++, out += v->c * pitch) {
        int64_t row = line - v->top + r, outside = row < 0 || row >= v->h;
        for (int64_t i = 0; i < v->c * pitch && (zero_rows || !outside); i += LANES)
            store(out + i, zero);
        if (!outside)
            split_pixels(x + (row * v->w + skip) * v->x_pixel, v->x_pixel, inside, inside, v->c,
                         out + left, LANES, pitch);
    }
}

static void planar_taps(const planar_shape *v, const float *lines, const float **tap) {
    int64_t pitch = planar_pitch(v);
    for (int64_t a = 0; a < v->kh; a++)
        for (int64_t b = 0; b < v->kw; b++)
            for (int64_t c = 0; c < v->c; c++) *tap++ = lines + (a * v->c + c) * pitch + b;
}

typedef struct {
    int64_t taps;
    const float *const *x; /* of each tap, whole vectors can be read at + x_offset */
    int64_t x_offset;
    const float *weights; /* [taps][MR] */
    const float *bias;    /* [rows], or NULL */
    int relu;
    float *y; /* y[row * y_row + column] */
    int64_t y_row;
} line_job;

/* `rows` at most MR, as a constant. */
#define ROWS_CASE(r)                                                                              \
    case r:                                                                                       \
        ROWS_TILE(r <= MR ? r : 1);                                                               \
        break;
#define ROWS_CASES                                                                                \
    ROWS_CASE(1) ROWS_CASE(2) ROWS_CASE(3) ROWS_CASE(4) ROWS_CASE(5) ROWS_CASE(6)                 \
    ROWS_CASE(7) ROWS_CASE(8) ROWS_CASE(9) ROWS_CASE(10) ROWS_CASE(11) ROWS_CASE(12)

#define LINE_ADD(r) ROW_ADD(r, weights[r])
#define LINE_STORE_VECTOR(r, v)                                                                   \
    if (vectors > v) {                                                                            \
        vf out = sum##r##_##v + add;                                                              \
        store(g->y + r * g->y_row + v * LANES, g->relu ? vmax(zero, out) : out);                  \
    }
#define LINE_STORE(r)                                                                             \
    if (r < rows) {                                                                               \
        vf add = g->bias ? splat(g->bias[r]) : zero;                                              \
        LINE_STORE_VECTOR(r, 0) LINE_STORE_VECTOR(r, 1) LINE_STORE_VECTOR(r, 2)                   \
    }

/* Some channels of the target times some vectors of a line. */
INLINE void line_tile(const line_job *g, const int rows, const int vectors) {
    const vf zero = {0};
    const float *weights = g->weights;
    EACH_ROW(ROW_SUMS)
    for (int64_t t = 0; t < g->taps; t++, weights += MR) {
        LOAD_COLUMNS(g->x[t] + g->x_offset)
        EACH_ROW(LINE_ADD)
    }
    EACH_ROW(LINE_STORE)
}

static void line_tiles(const line_job *g, int64_t rows, int64_t vectors) {
#define ROWS_TILE(r) line_tile(g, r, NV)
    if (vectors == NV) switch (rows) { ROWS_CASES }
#undef ROWS_TILE
#define ROWS_TILE(r) line_tile(g, r, 2)
    else if (NV > 2 && vectors == 2) switch (rows) { ROWS_CASES }
#undef ROWS_TILE
#define ROWS_TILE(r) line_tile(g, r, 1)
    else switch (rows) { ROWS_CASES }
#undef ROWS_TILE
}

/* Scratch: lines of the source, one line of each channel of the target, pointers to taps. */
static void planar_conv(const planar_shape *v, const float *x, const float *packed,
                        const float *bias, int relu, float *y, int64_t image, int64_t line,
                        int64_t end, char *scratch) {
    int64_t pitch = planar_pitch(v), row_taps = v->kw * v->c;
    int64_t width = whole(v->ow, LANES), rows = planar_rows(v, MR);
    float *source = (float *)scratch;
    float *target = source + ((planar_lines(v) + v->kh - 1) * v->c + 3) * pitch;
    const float **tap = (const float **)(target + (v->k + 3) * whole_16(v->ow));
    line_job job = {.relu = relu, .y_row = whole_16(v->ow)};
    planar_source(v, x + image * v->h * v->w * v->x_pixel, line, end, 0, source);
    planar_taps(v, source, tap);
    for (int64_t i = line; i < end; i++) {
        int64_t from = larger(0, v->top - i), to = smaller(v->kh, v->h + v->top - i);
        job.taps = larger(0, to - from) * row_taps; /* those of rows inside of the image */
        job.x = tap + from * row_taps;
        for (int64_t k = 0; k < v->k; k += rows) {
            job.weights = packed + (k / rows * v->kh + from) * row_taps * MR;
            job.bias = bias ? bias + k : NULL;
            for (int64_t j = 0; j < width; j += NR) {
                job.x_offset = (i - line) * v->c * pitch + j;
                job.y = target + k * job.y_row + j;
                line_tiles(&job, smaller(rows, v->k - k), smaller(NV, (width - j) / LANES));
            }
        }
        join_pixels(target, job.y_row, v->ow, v->k, y + (image * v->oh + i) * v->ow * v->y_pixel,
                    v->y_pixel);
    }
}

typedef struct {
    int64_t lines, vectors;        /* of one block */
    const float *dy;               /* [lines][vectors][dy_vector] */
    int64_t dy_vector, x_line;     /* floats from one to the next */
    const float *const *x;         /* of each tap */
    float *sums;                   /* [tap][sums_tap] */
    int64_t sums_tap;
    int accumulate;
} planar_job;

#define DOT_ADD(r)                                                                                \
    if (r < rows) {                                                                               \
        vf value = load(dy + r * LANES);                                                          \
        sum##r##_0 += value * b0;                                                                 \
        if (taps > 1) sum##r##_1 += value * b1;                                                   \
        if (taps > 2) sum##r##_2 += value * b2;                                                   \
    }
#define DOT_STORE_TAP(r, t)                                                                       \
    if (taps > t) {                                                                               \
        float *at = sums + t * g->sums_tap + r * LANES;                                           \
        store(at, g->accumulate ? load(at) + sum##r##_##t : sum##r##_##t);                        \
    }
#define DOT_STORE(r)                                                                              \
    if (r < rows) {                                                                               \
        DOT_STORE_TAP(r, 0) DOT_STORE_TAP(r, 1) DOT_STORE_TAP(r, 2)                               \
    }

/* Channels row .. row + rows of dy times taps tap .. tap + taps of x. */
INLINE void dot_tile(const planar_job *g, int64_t row, int64_t tap, const int rows,
                     const int taps) {
    const vf zero = {0};
    const float *dy = g->dy + row * LANES;
    const float *x0 = g->x[tap], *x1 = taps > 1 ? g->x[tap + 1] : x0;
    const float *x2 = taps > 2 ? g->x[tap + 2] : x0;
    float *sums = g->sums + tap * g->sums_tap + row * LANES;
    EACH_ROW(ROW_SUMS)
    for (int64_t i = 0; i < g->lines; i++, x0 += g->x_line, x1 += g->x_line, x2 += g->x_line)
        for (int64_t j = 0; j < g->vectors; j++, dy += g->dy_vector) {
            const vf b0 = load(x0 + j * LANES), b1 = taps > 1 ? load(x1 + j * LANES) : b0,
                     b2 = taps > 2 ? load(x2 + j * LANES) : b0;
            (void)b1, (void)b2;
            EACH_ROW(DOT_ADD)
        }
    EACH_ROW(DOT_STORE)
}

INLINE void dot_rows(const planar_job *g, int64_t row, int64_t rows, int64_t tap,
                     const int taps) {
#define ROWS_TILE(r) dot_tile(g, row, tap, r, taps)
    switch (rows) { ROWS_CASES }
#undef ROWS_TILE
}

static void dot_block(const planar_job *g, int64_t rows, int64_t k, int64_t taps) {
    for (int64_t row = 0; row < k; row += rows) {
        int64_t n = smaller(rows, k - row), tap = 0;
        for (; tap + NV <= taps; tap += NV) dot_rows(g, row, n, tap, NV);
        for (; tap < taps; tap++) dot_rows(g, row, n, tap, 1);
    }
}

/* Scratch: lines of x, vectors of dy with channels side by side, pointers to taps, sums. */
static void planar_outer(const planar_shape *v, const float *x, const float *dy, int64_t line,
                         int64_t end, float *dw, char *scratch) {
    int64_t most = planar_lines(v), pitch = planar_pitch(v), taps = v->kh * v->kw * v->c, next;
    int64_t width = whole(v->ow, LANES);
    float *source = (float *)scratch, *lines = source + ((most + v->kh - 1) * v->c + 3) * pitch;
    const float **tap = (const float **)(lines + most * v->k * whole_16(v->ow) + 64);
    planar_job job = {.vectors = width / LANES, .dy = lines, .dy_vector = v->k * LANES,
                      .x_line = v->c * pitch, .x = tap, .sums_tap = v->k * LANES,
                      .sums = (float *)tap + whole_16(2 * taps)};
    planar_taps(v, source, tap);
    if (line >= end) memset(dw, 0, (size_t)(v->k * taps) * 4);
    for (int64_t at = line; at < end; at = next, job.accumulate = 1) {
        int64_t image = at / v->oh, top = at % v->oh;
        next = smaller(smaller(at + most, (image + 1) * v->oh), end);
        job.lines = next - at;
        planar_source(v, x + image * v->h * v->w * v->x_pixel, top, top + job.lines, 1, source);
        for (int64_t i = 0; i < job.lines; i++)
            split_pixels(dy + (at + i) * v->ow * v->k, v->k, v->ow, width, v->k,
                         lines + i * width * v->k, v->k * LANES, LANES);
        dot_block(&job, planar_rows(v, MR), v->k, taps);
    }
    for (int64_t k = 0; line < end && k < v->k; k++)
        for (int64_t t = 0; t < taps; t++)
            dw[k * taps + t] = lane_sum(load(job.sums + (t * v->k + k) * LANES));
}

#endif

/* Convolution with few columns: vectors run along the depth of a tap, and not along the columns.
 *
 * Each output is an inner product whose lanes are added once, at the end. So a layer with one
 * output channel fills its vectors as well as one with many.
 */
#ifndef FASTNN_LINEAR_INNER_H
#define FASTNN_LINEAR_INNER_H

#include "linear/simd/indirect.h"
#include "linear/simd/inner_table.h"

/* Sums in registers, of all pixels of a tile: what is left beside the weights. */
enum { INNER_SUMS = MR > 6 ? 24 : 12 };

typedef struct {
    int64_t taps, depth;
    const float *const *a; /* of tap t, pixel r begins at a[t * a_stride + r] + a_offset */
    int64_t a_stride, a_offset;
    const conv_tap *tap;
    const float *weights; /* [slice][vectors of the depth][columns][LANES], zeros at its end */
    int64_t slice;        /* floats of one tap in it */
    float *const *y;
    int64_t y_offset;
    v4 bias;
    int accumulate, relu;
} inner_job;

/* The sums of the lanes of each of `columns` vectors. */
INLINE v4 inner_totals(const float *sums, const int columns) {
    v4 part[INNER_COLUMNS] = {{0}};
    for (int k = 0; k < columns; k++) {
        part[k] = *(const v4_unaligned *)(sums + k * LANES);
        for (int i = 4; i < LANES; i += 4) part[k] += *(const v4_unaligned *)(sums + k * LANES + i);
    }
    v4 even = ZIP_LOW(part[0], part[2]) + ZIP_HIGH(part[0], part[2]);
    v4 odd = ZIP_LOW(part[1], part[3]) + ZIP_HIGH(part[1], part[3]);
    return ZIP_LOW(even, odd) + ZIP_HIGH(even, odd);
}

INLINE void inner_store(const inner_job *g, float *y, v4 total, const int columns) {
    const v4 zero = {0};
    if (g->accumulate) {
        v4 before = {0};
        memcpy(&before, y, (size_t)columns * 4);
        total += before;
    }
    total += g->bias;
    if (g->relu) total = (v4)(~(zero > total) & (__typeof__(zero > total))total); /* NaN stays */
    memcpy(y, &total, (size_t)columns * 4);
}

#define INNER_STEP(read)                                                                          \
    {                                                                                             \
        vf weight[INNER_COLUMNS];                                                                 \
        UNROLL_ALL                                                                                \
        for (int k = 0; k < columns; k++) weight[k] = load(w + k * LANES);                        \
        UNROLL_ALL                                                                                \
        for (int r = 0; r < pixels; r++) {                                                        \
            const vf value = read;                                                                \
            UNROLL_ALL                                                                            \
            for (int k = 0; k < columns; k++) sum[r][k] += value * weight[k];                     \
        }                                                                                         \
    }
#define UNROLL_ALL _Pragma("GCC unroll 16")

/* y[row + r][columns] for r < pixels. */
INLINE void inner_tile(const inner_job *g, int64_t row, const int pixels, const int columns) {
    vf sum[12][INNER_COLUMNS];
    float sums[12 * INNER_COLUMNS * LANES];
    UNROLL_ALL
    for (int r = 0; r < pixels; r++)
        UNROLL_ALL
        for (int k = 0; k < columns; k++) sum[r][k] = (vf){0};
    for (int64_t t = 0; t < g->taps; t++) {
        const float *w = g->weights + g->tap[t].slice * g->slice, *x[12];
        int64_t c = 0;
        UNROLL_ALL
        for (int r = 0; r < pixels; r++) x[r] = g->a[t * g->a_stride + row + r] + g->a_offset;
        for (; c + LANES <= g->depth; c += LANES, w += columns * LANES)
            INNER_STEP(load(x[r] + c))
        if (c < g->depth) INNER_STEP(load_head(x[r] + c, g->depth - c))
    }
    UNROLL_ALL
    for (int r = 0; r < pixels; r++)
        UNROLL_ALL
        for (int k = 0; k < columns; k++) store(sums + (r * INNER_COLUMNS + k) * LANES, sum[r][k]);
    for (int r = 0; r < pixels; r++)
        inner_store(g, g->y[row + r] + g->y_offset,
                    inner_totals(sums + r * INNER_COLUMNS * LANES, columns), columns);
}

#define INNER_FUNCTION(columns)                                                                   \
    static __attribute__((noinline)) void inner_tiles_##columns(const inner_job *g,               \
                                                                int64_t count) {                  \
        enum { PIXELS = INNER_SUMS / columns < 12 ? INNER_SUMS / columns : 12 };                  \
        int64_t row = 0;                                                                          \
        for (; row + PIXELS <= count; row += PIXELS) inner_tile(g, row, PIXELS, columns);         \
        for (; row < count; row++) inner_tile(g, row, 1, columns);                                \
    }
INNER_FUNCTION(1)
INNER_FUNCTION(2)
INNER_FUNCTION(3)
INNER_FUNCTION(4)

/* Scratch: pointers to the outputs, then those of the taps that are summed together. */
static void inner_block(const conv_product *g, int64_t first, int64_t count, char *scratch) {
    static void (*const tiles[])(const inner_job *, int64_t) = {
        inner_tiles_1, inner_tiles_2, inner_tiles_3, inner_tiles_4};
    int64_t reach = 4 * BLOCK_DEPTH, block = inner_columns(g->columns);
    int64_t step = g->depth > reach ? even_part(g->depth, reach, LANES) : g->depth;
    int64_t part = even_part(larger(1, g->taps),
                             larger(1, BLOCK_DEPTH / lane_depth(g->depth)), 1);
    float **y = (float **)scratch;
    const float **a = (const float **)y + count;
    find_targets(g, first, count, y);
    for (int64_t t = 0; t == 0 || t < g->taps; t += part) { /* once for no taps: writes zeros */
        int64_t taps = smaller(part, g->taps - t);
        for (int64_t i = 0; i < taps; i++)
            find_pixels(&g->source, g->x, g->zero, g->tap[t + i].offset_h, g->tap[t + i].offset_w,
                        first, count, a + i * count);
        for (int64_t c = 0; c < g->depth; c += step)
            for (int64_t k = 0; k < g->columns; k += block) {
                int last = t + part >= g->taps && c + step >= g->depth;
                int64_t columns = smaller(block, g->columns - k);
                inner_job job = {.taps = taps, .depth = smaller(step, g->depth - c), .a = a,
                                 .a_stride = count, .a_offset = c, .tap = g->tap + t, .y = y,
                                 .y_offset = k, .accumulate = t > 0 || c > 0,
                                 .relu = last && g->relu};
                job.slice = whole(g->depth, LANES) * columns;
                job.weights = g->packed + k * g->slices * whole(g->depth, LANES) + c * columns;
                if (last && g->bias) memcpy(&job.bias, g->bias + k, (size_t)columns * 4);
                tiles[columns - 1](&job, count);
            }
    }
}

static void inner_pack(const float *w, int64_t slices, int64_t depth, int64_t columns, int turned,
                       float *out) {
    int64_t block = inner_columns(columns), width = whole(depth, LANES);
    for (int64_t k = 0; k < columns; k += block)
        for (int64_t s = 0; s < slices; s++)
            for (int64_t c = 0; c < width; c += LANES)
                for (int64_t j = k; j < smaller(columns, k + block); j++, out += LANES)
                    if (turned)
                        for (int64_t i = 0; i < LANES; i++)
                            out[i] = c + i < depth ? w[((c + i) * slices + s) * columns + j] : 0;
                    else store(out, load_n(w + (j * slices + s) * depth + c, depth - c));
}

#endif

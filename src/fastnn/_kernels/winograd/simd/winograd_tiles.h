/* Shared by all Winograd convolutions: transforms of tiles to values and back, and their products.
 *
 * A file for each kind of layer (winograd.h, winograd_strided.h) has the transforms of one axis and
 * makes the functions of its table from the macros here. All vectors run along channels.
 */
#ifndef FASTNN_WINOGRAD_WINOGRAD_TILES_H
#define FASTNN_WINOGRAD_WINOGRAD_TILES_H

#include "norm/simd/norm.h"
#include "linear/simd/outer.h"
#include "winograd/simd/table.h"

/* a + k b, rounded once where the processor can. Written out, as the compiler would choose anew in
 * each place whether to: a tile must get the same bits in every variant of a pass. */
INLINE vf add_times(vf a, float k, vf b) { return vfma(splat(k), b, a); }

/* A transform of both axes, columns first: GET(i, j) is a value, PUT(i, j, v) takes a result.
 * The outer loops stay loops: unrolled, GCC would keep every address in a register of its own. */
#define UNROLL_ALL _Pragma("GCC unroll 16")
#define UNROLL_1 _Pragma("GCC unroll 1")
#define FIRST_AXIS(along, IN, OUT, HAS_COLUMN, GET)                                               \
    UNROLL_1 for (int j = 0; j < (IN); j++) {                                                     \
        if (HAS_COLUMN(j)) {                                                                      \
            UNROLL_ALL for (int i = 0; i < (IN); i++) line[i] = GET(i, j);                        \
            along(line, half[j]);                                                                 \
        } else {                                                                                  \
            UNROLL_ALL for (int i = 0; i < (OUT); i++) half[j][i] = (vf){0};                      \
        }                                                                                         \
    }
#define SECOND_AXIS(along, IN, OUT, FIRST, END, PUT)                                              \
    UNROLL_1 for (int i = (FIRST); i < (END); i++) {                                              \
        UNROLL_ALL for (int j = 0; j < (IN); j++) line[j] = half[j][i];                           \
        along(line, result);                                                                      \
        UNROLL_ALL for (int j = 0; j < (OUT); j++) PUT(i, j, result[j]);                          \
    }
#define ALL(j) 1
#define BOTH_AXES(along, IN, OUT, GET, PUT)                                                       \
    do {                                                                                          \
        vf half[IN][OUT], line[IN], result[OUT];                                                  \
        FIRST_AXIS(along, IN, OUT, ALL, GET)                                                      \
        SECOND_AXIS(along, IN, OUT, 0, OUT, PUT)                                                  \
    } while (0)

/* The pixels of a tile in its image: the first one, floats from one to the next along both axes,
 * and the rows and columns that are inside of the image. */
typedef struct {
    float *first;
    int64_t row_step, step;
    int64_t top, bottom, left, right;
    int whole;
} tile_pixels;

/* side: pixels along a tile; step: from one tile to the next. */
INLINE tile_pixels find_tile(const tile_grid *g, int64_t t, const int side, const int step,
                             float *images) {
    int64_t j = t % g->columns * step - g->left, line = t / g->columns;
    int64_t i = line % g->rows * step - g->top, image = line / g->rows;
    tile_pixels tile = {
        .first = images + ((image * g->height + i) * g->width + j) * g->channels,
        .row_step = g->width * g->channels, .step = g->channels,
        .top = larger(0, -i), .bottom = smaller(side, g->height - i),
        .left = larger(0, -j), .right = smaller(side, g->width - j)};
    tile.whole = tile.top == 0 && tile.left == 0 && tile.bottom == side && tile.right == side;
    return tile;
}

#define AT(i, j) (tile.first + (i) * tile.row_step + (j) * tile.step + c)
#define GET_WHOLE(i, j) load(AT(i, j))
#define HAS_ROW(i) ((i) >= tile.top && (i) < tile.bottom)
#define HAS_COLUMN(j) ((j) >= tile.left && (j) < tile.right)
#define GET_PART(i, j) (HAS_ROW(i) ? load_n(AT(i, j), n) : (vf){0})

/* The pixels AHEAD further on in a line, of `from` where the tile's are of `array`, asked for in
 * time: the strides of tiles are too irregular for the processor to guess. */
enum { AHEAD = 8 };
#define FETCH_AHEAD(from, array, SIDE, STEP, WRITE)                                               \
    for (int i = (SIDE) - (STEP); i < (SIDE); i++)                                                \
        for (int j = (SIDE) - (STEP); j < (SIDE); j++)                                            \
            __builtin_prefetch((from) + (AT(i, j + AHEAD) - (array)), WRITE);

/* The same behind a batch norm and a ReLU: the bits of norm_apply. */
#define NORMED(v) vmax((vf){0}, norm_value((v) - mean, scale, bias))
#define GET_NORMED(i, j) NORMED(load(AT(i, j)))
#define GET_NORMED_PART(i, j) (HAS_ROW(i) ? NORMED(load_n(AT(i, j), n)) : (vf){0})

/* read_tiles: SIDE x SIDE pixels to OUT x OUT values, rows in the order of ROW.
 *
 * A processor that sees stores at equal strides asks for the lines of some strides more. They must
 * not be another thread's: values that begin a thread's memory are written upwards, those at its
 * end downwards, so that they are the thread's own either way. */
#define UPWARDS(k, count) (k)
#define DOWNWARDS(k, count) ((count) - 1 - (k))
#define READ_TILES(name, SIDE, STEP, OUT, along, GET_ALL, GET_SOME, ROW)                          \
    static void name(const tile_grid *g, const float *x, const norm_columns *norm,                \
                     int64_t channels, int64_t first, int64_t count, int64_t at,                  \
                     const tile_values *to) {                                                     \
        for (int64_t t = 0; t < count; t++) {                                                     \
            float *out = to->data + (at + t) * to->panel;                                         \
            int64_t left = to->panel; /* of the panel */                                          \
            const tile_pixels tile = find_tile(g, first + t, SIDE, STEP, (float *)x);             \
            for (int64_t c = 0; c < channels; c += LANES, out += LANES, left -= LANES) {          \
                int64_t n = channels - c;                                                         \
                vf half[SIDE][OUT], line[SIDE], result[OUT];                                      \
                vf mean = {0}, scale = {0}, bias = {0};                                           \
                if (norm) {                                                                       \
                    mean = load_n(norm->mean + c, n), bias = load_n(norm->bias + c, n);           \
                    scale = load_n(norm->scale + c, n);                                           \
                }                                                                                 \
                (void)mean, (void)scale, (void)bias;                                              \
                FETCH_AHEAD(x, x, SIDE, STEP, 0)                                                  \
                if (left == 0) out += (to->tiles - 1) * to->panel, left = to->panel;              \
                if (tile.whole && n >= LANES) FIRST_AXIS(along, SIDE, OUT, ALL, GET_ALL)          \
                else FIRST_AXIS(along, SIDE, OUT, HAS_COLUMN, GET_SOME)                           \
                PUT_VALUES(along, SIDE, OUT, ROW)                                                 \
            }                                                                                     \
        }                                                                                         \
    }
#define PUT_VALUES(along, SIDE, OUT, ROW)                                                         \
    UNROLL_1 for (int k = 0; k < (OUT); k++) {                                                    \
        const int i = ROW(k, OUT);                                                                \
        UNROLL_ALL for (int j = 0; j < (SIDE); j++) line[j] = half[j][i];                         \
        along(line, result);                                                                      \
        UNROLL_ALL for (int j = 0; j < (OUT); j++)                                                \
            store(out + (i * (OUT) + j) * to->plane, result[j]);                                  \
    }

/* What a write of tiles adds up of the values that it writes. */
enum { SUM_NOTHING, SUM_MOMENTS, SUM_GRADIENT, SUM_SHORTCUT };

#define PUT_OUTPUT(i, j, v)                                                                       \
    do {                                                                                          \
        const vf moved = (v) + shift;                                                             \
        vf value = relu ? vmax(zero, moved) : moved;                                              \
        float *at_pixel = AT(i, j);                                                               \
        if (HAS_COLUMN(j)) {                                                                      \
            if (sums == SUM_SHORTCUT) {                                                           \
                const vf gate = load_n(s->gate + (at_pixel - y), n);                              \
                value = where(gate > zero, value + load_n(s->shortcut + (at_pixel - y), n),       \
                              zero);                                                              \
            }                                                                                     \
            store_n(at_pixel, value, n);                                                          \
            if (sums == SUM_MOMENTS) {                                                            \
                const vf d = value - pivot;                                                       \
                sum += d, product = vfma(d, d, product);                                          \
            }                                                                                     \
            if (sums == SUM_GRADIENT || sums == SUM_SHORTCUT) {                                   \
                const vf d = load_n(s->x + (at_pixel - y), n) - pivot;                            \
                const vf passed = masked(value, d, scale, bias_of_norm, s->scale != NULL);        \
                sum += passed, product = vfma(passed, d, product);                                \
            }                                                                                     \
        }                                                                                         \
    } while (0)

#define ADD_OUTPUT(i, j, v)                                                                       \
    if (HAS_COLUMN(j)) pivot += relu ? vmax(zero, (v) + shift) : (v) + shift

/* IN x IN values to SIDE x SIDE pixels; tiles follow each other without a gap. */
#define WRITE_TILES(name, IN, SIDE, along)                                                        \
    INLINE void name(const tile_grid *g, const tile_values *from, int64_t channels,               \
                     int64_t first, int64_t count, int64_t at, const float *bias, int relu,       \
                     float *y, const tile_sums *s, const int sums) {                              \
        const vf zero = {0};                                                                      \
        for (int64_t t = 0; t < count; t++) {                                                     \
            const float *from_tile = from->data + (at + t) * from->panel;                         \
            tile_pixels tile = find_tile(g, first + t, SIDE, SIDE, y);                            \
            for (int64_t c = 0; c < channels; c += LANES) {                                       \
                int64_t n = channels - c;                                                         \
                vf half[IN][SIDE], line[IN], result[SIDE];                                        \
                vf sum = zero, product = zero, pivot = zero, scale = zero, bias_of_norm = zero;   \
                const vf shift = bias ? load_n(bias + c, n) : zero;                               \
                FETCH_AHEAD(y, y, SIDE, SIDE, 1)                                                  \
                if (sums == SUM_GRADIENT || sums == SUM_SHORTCUT)                                 \
                    FETCH_AHEAD(s->x, y, SIDE, SIDE, 0)                                           \
                if (sums == SUM_SHORTCUT) {                                                       \
                    FETCH_AHEAD(s->gate, y, SIDE, SIDE, 0)                                        \
                    FETCH_AHEAD(s->shortcut, y, SIDE, SIDE, 0)                                    \
                }                                                                                 \
                GET_VALUES(along, IN, SIDE)                                                       \
                if (sums != SUM_NOTHING)                                                          \
                    pivot = sums == SUM_MOMENTS ? load(s->pivot + c) : load_n(s->mean + c, n);    \
                if (sums == SUM_MOMENTS && t == 0) {                                              \
                    pivot = zero;                                                                 \
                    SECOND_AXIS(along, IN, SIDE, tile.top, tile.bottom, ADD_OUTPUT)               \
                    pivot /= (float)((tile.bottom - tile.top) * (tile.right - tile.left));        \
                    store(s->pivot + c, pivot);                                                   \
                }                                                                                 \
                if (sums == SUM_GRADIENT && s->scale)                                             \
                    scale = load_n(s->scale + c, n), bias_of_norm = load_n(s->bias + c, n);       \
                if (tile.whole && n >= LANES) {                                                   \
                    tile.left = 0, tile.right = SIDE, n = LANES;                                  \
                    SECOND_AXIS(along, IN, SIDE, 0, SIDE, PUT_OUTPUT)                             \
                } else {                                                                          \
                    SECOND_AXIS(along, IN, SIDE, tile.top, tile.bottom, PUT_OUTPUT)               \
                }                                                                                 \
                if (sums == SUM_NOTHING) continue;                                                \
                /* sums of a tile, then of tiles: the error of a short sum and not of a long */   \
                store(s->sum + c, t > 0 ? load(s->sum + c) + sum : sum);                          \
                store(s->product + c, t > 0 ? load(s->product + c) + product : product);          \
            }                                                                                     \
        }                                                                                         \
    }
#define GET_VALUES(along, IN, SIDE)                                                               \
    UNROLL_1 for (int j = 0; j < (IN); j++) {                                                     \
        UNROLL_ALL for (int i = 0; i < (IN); i++)                                                 \
            line[i] = load(from_tile + c + (i * (IN) + j) * from->plane);                         \
        along(line, half[j]);                                                                     \
    }

/* The functions of a table that write: plainly, with moments, with the sums of a gradient. */
#define WRITE_PLAIN(name, write)                                                                  \
    static void name(const tile_grid *g, const tile_values *from, int64_t channels,               \
                     int64_t first, int64_t count, int64_t at, const float *bias, int relu,       \
                     float *y) {                                                                  \
        write(g, from, channels, first, count, at, bias, relu, y, NULL, SUM_NOTHING);             \
    }
#define WRITE_MOMENTS(name, write)                                                                \
    static void name(const tile_grid *g, const tile_values *from, int64_t channels,               \
                     int64_t first, int64_t count, int64_t at, const float *bias, int relu,       \
                     float *y, const tile_sums *s) {                                              \
        write(g, from, channels, first, count, at, bias, relu, y, s, SUM_MOMENTS);                \
    }
#define WRITE_GRADIENT(name, write, sums)                                                         \
    static void name(const tile_grid *g, const tile_values *from, int64_t channels,               \
                     int64_t first, int64_t count, int64_t at, float *y, const tile_sums *s) {    \
        write(g, from, channels, first, count, at, NULL, 0, y, s, sums);                          \
    }

enum { PACK_DEPTH = 16 }; /* depth that is turned before it is transformed: it stays in L1 */

/* 3x3 weights to OUT x OUT values, packed. Nine of them are turned instead of all values. */
#define PACK_FORWARD(name, OUT, along)                                                            \
    static void name(const float *w, int64_t depth, int64_t first, int64_t columns,               \
                     int64_t plane, float *packed, float *scratch) {                              \
        int64_t width = whole(columns, LANES), tap = PACK_DEPTH * width;                          \
        packed += first * depth;                                                                  \
        for (int64_t d = 0; d < depth; d += PACK_DEPTH) {                                         \
            int64_t block = smaller(PACK_DEPTH, depth - d);                                       \
            for (int i = 0; i < 9; i++)                                                           \
                pack_columns(w + (first * 9 + i) * depth + d, 9 * depth, block, columns,          \
                             scratch + i * tap);                                                  \
            for (int64_t c = 0; c < block * width; c += LANES) {                                  \
                const float *from = scratch + c;                                                  \
                float *out = packed + d * width + c;                                              \
                BOTH_AXES(along, 3, OUT, GET_TAP, PUT_PACKED_##OUT);                              \
            }                                                                                     \
        }                                                                                         \
    }
#define GET_TAP(i, j) load(from + ((i) * 3 + (j)) * tap)

/* The same of weights turned by 180 degrees. */
#define PACK_BACKWARD(name, OUT, along)                                                           \
    static void name(const float *w, int64_t depth, int64_t channels, int64_t first,              \
                     int64_t columns, int64_t plane, float *packed) {                             \
        int64_t width = whole(columns, LANES);                                                    \
        packed += first * depth;                                                                  \
        for (int64_t k = 0; k < depth; k++)                                                       \
            for (int64_t c = 0; c < columns; c += LANES) {                                        \
                const float *from = w + k * 9 * channels + first + c;                             \
                float *out = packed + k * width + c;                                              \
                BOTH_AXES(along, 3, OUT, GET_TURNED, PUT_PACKED_##OUT);                           \
            }                                                                                     \
    }
#define GET_TURNED(i, j) load_n(from + ((2 - (i)) * 3 + 2 - (j)) * channels, columns - c)
#define PUT_PACKED_6(i, j, v) store(out + ((i) * 6 + (j)) * plane, v)
#define PUT_PACKED_9(i, j, v) store(out + ((i) * 9 + (j)) * plane, v)

/* OUT x OUT sums to 3x3 weights. */
#define WRITE_WEIGHT(name, IN, along)                                                             \
    static void name(const float *sums, int64_t plane, int64_t depth, int64_t channels,           \
                     int64_t first, int64_t end, int accumulate, float *dw) {                     \
        int64_t stride = whole(depth, LANES);                                                     \
        for (int64_t k = first; k < end; k++)                                                     \
            for (int64_t c = 0; c < depth; c += LANES) {                                          \
                const float *from = sums + k * stride + c;                                        \
                float *out = dw + k * 9 * channels + c;                                           \
                if (accumulate) BOTH_AXES(along, IN, 3, GET_SUM_##IN, ADD_WEIGHT);                \
                else BOTH_AXES(along, IN, 3, GET_SUM_##IN, PUT_WEIGHT);                           \
            }                                                                                     \
    }
#define GET_SUM_6(i, j) load(from + ((i) * 6 + (j)) * plane)
#define GET_SUM_9(i, j) load(from + ((i) * 9 + (j)) * plane)
#define PUT_WEIGHT(i, j, v) store_n(out + ((i) * 3 + (j)) * channels, v, depth - c)
#define ADD_WEIGHT(i, j, v)                                                                       \
    do {                                                                                          \
        float *at = out + ((i) * 3 + (j)) * channels;                                             \
        store_n(at, load_n(at, depth - c) + (v), depth - c);                                      \
    } while (0)

/* m = sum over terms of v packed; term t: tiles v[t * v_step], weights packed[tap[t].slice]. */
INLINE void add_products(const product_sizes *g, int64_t terms, const conv_tap *tap,
                         const float *const *v, int64_t v_step, int64_t v_offset,
                         const float *packed, float *const *m, int64_t m_offset, int64_t first,
                         int64_t end) {
    const int64_t depth = g->depth;
    const int64_t step = depth > BLOCK_DEPTH ? even_part(depth, BLOCK_DEPTH, 8) : depth;
    const int64_t part = even_part(terms, larger(1, BLOCK_DEPTH / depth), 1);
    tile_job job = {.rows = g->tiles, .a_stride = v_step, .y = m, .slice = g->packed_plane};
    for (int64_t t = 0; t < terms; t += part) {
        job.taps = smaller(part, terms - t);
        job.tap = tap + t;
        job.a = v + t * v_step;
        for (int64_t c = 0; c < depth; c += step) {
            job.depth = smaller(step, depth - c);
            job.a_offset = v_offset + c;
            job.accumulate = t > 0 || c > 0;
            for (int64_t q = first; q < end; q++) {
                job.columns = smaller(NR, g->columns - q * NR);
                job.b = packed + q * NR * depth;
                job.b_offset = c * whole(job.columns, LANES);
                job.y_offset = m_offset + q * NR;
                tile_panel(&job);
            }
        }
    }
}

enum { OUTER_TILES = 192 }; /* a panel of x and a tile of dy stay in L1 */

/* sums[row][depth] (+)= sum over tiles of dy[tile][row] x[tile][depth]. */
INLINE void add_outer(const tile_values *dy, int64_t position, const tile_values *x,
                      int64_t plane, int64_t tiles, int64_t rows, int64_t depth, float *sums,
                      int accumulate, const float **columns) {
    int64_t stride = whole(depth, LANES);
    outer_job job = {.y_stride = stride, .dy_stride = dy->panel, .dy_rows = MR};
    for (int64_t t = 0; t < tiles; t += OUTER_TILES) {
        job.pixels = smaller(OUTER_TILES, tiles - t);
        job.x = columns + t;
        job.accumulate = accumulate || t > 0;
        for (int64_t k = 0; k < rows; k += dy->panel) {
            job.dy = dy->data + position * dy->plane + k * dy->tiles + t * dy->panel;
            for (int64_t c = 0; c < depth; c += NR) {
                job.columns = smaller(NR, stride - c);
                job.x_offset = plane * x->plane + c * x->tiles;
                job.y = sums + k * stride + c;
                outer_panel(&job, smaller(dy->panel, rows - k));
            }
        }
    }
}

#endif

/* The tile: MR output rows times NV vectors of columns in registers, rows read where they are.
 *
 * Row r of tap t is `depth` floats at a[t * a_stride + r] + a_offset, so an image is read without
 * im2col and padding is a pointer to zeros (Dukhan 2019, "The Indirect Convolution Algorithm").
 * The other operand is a packed panel [tap][depth][width], width = whole vectors.
 */
#ifndef FASTNN_GEMM_H
#define FASTNN_GEMM_H

#include "linear/simd/gemm_table.h"
#include "simd/tail.h"
#include "simd/vector.h"

#if LEVEL_AVX512
enum { MR = 12, NV = 2, MASKED_STORES = 1 }; /* 24 sums; 12 row pointers fit 16 registers */
#elif LEVEL_AVX2
enum { MR = 6, NV = 2, MASKED_STORES = 0 }; /* 12 sums, 15 of 16 registers */
#elif LEVEL_NEON
enum { MR = 8, NV = 3, MASKED_STORES = 0 }; /* 24 sums, 28 of 32 registers */
#else
enum { MR = 4, NV = 2, MASKED_STORES = 0 };
#endif
enum { NR = NV * LANES };
/* Rows of a tile of one vector: two FMA units of 4 cycles need 8 sums at work. */
enum { MR_1 = MR > 8 ? MR : 8 };

/* Rows as names and not as an array, so that they are registers from the first pass on.
 * `rows` and `vectors` are constants wherever a tile is inlined, so unused names vanish. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define ROW_SUMS(r) vf sum##r##_0 = zero, sum##r##_1 = zero, sum##r##_2 = zero;
#define ROW_ADD(r, factor)                                                                        \
    if (r < rows) {                                                                               \
        vf value = splat(factor);                                                                 \
        sum##r##_0 += value * b0;                                                                 \
        if (vectors > 1) sum##r##_1 += value * b1;                                                \
        if (vectors > 2) sum##r##_2 += value * b2;                                                \
    }
#define LOAD_COLUMNS(b)                                                                           \
    const vf b0 = load(b), b1 = vectors > 1 ? load((b) + LANES) : b0,                             \
             b2 = vectors > 2 ? load((b) + 2 * LANES) : b0;                                       \
    (void)b1, (void)b2;

typedef struct {
    int64_t rows, columns, taps, depth;
    const float *const *a;
    int64_t a_stride, a_offset;
    const float *b; /* the panel */
    const conv_tap *tap;
    int64_t slice, b_offset; /* floats of one tap in the panel; where depth starts in it */
    float *const *y;
    int64_t y_offset;
    const float *bias;
    int accumulate, relu;
} tile_job;

/* Out of line, for a panel of part vectors: sums are [row][vectors]. */
static __attribute__((noinline)) void tile_store_part(const tile_job *g, int64_t row,
                                                      const float *sums, int64_t width) {
    int64_t rows = smaller(g->columns <= LANES ? MR_1 : MR, g->rows - row);
    for (int r = 0; r < rows; r++, sums += width) {
        float *y = g->y[row + r] + g->y_offset;
        for (int64_t c = 0; c < g->columns; c += LANES) {
            const vf zero = {0};
            int64_t n = smaller(LANES, g->columns - c);
            vf sum = load(sums + c);
            if (g->accumulate) sum += load_n(y + c, n);
            if (g->bias) sum += load_n(g->bias + c, n);
            store_n(y + c, g->relu ? vmax(zero, sum) : sum, n);
        }
    }
}

INLINE void tile_store(const tile_job *g, float *y, vf sum, int64_t column) {
    const vf zero = {0};
    if (g->accumulate) sum += load(y + column);
    if (g->bias) sum += load(g->bias + column);
    store(y + column, g->relu ? vmax(zero, sum) : sum);
}

#define TILE_ROW(r)                                                                               \
    const float *a##r = r < rows ? from[r] + g->a_offset : NULL;                                  \
    (void)a##r;
#define TILE_ADD(r) ROW_ADD(r, a##r[c])
#define TILE_STORE(r)                                                                             \
    if (r < rows) {                                                                               \
        float *y = g->y[row + r] + g->y_offset;                                                   \
        tile_store(g, y, sum##r##_0, 0);                                                          \
        if (vectors > 1) tile_store(g, y, sum##r##_1, LANES);                                     \
        if (vectors > 2) tile_store(g, y, sum##r##_2, 2 * LANES);                                 \
    }

/* Where masked stores cost little: the last vector is a part of one. */
#define TILE_STORE_MASKED(r)                                                                      \
    if (r < rows) {                                                                               \
        float *y = g->y[row + r] + g->y_offset;                                                   \
        vf last = vectors > 1 ? sum##r##_1 : sum##r##_0;                                          \
        if (vectors > 1) tile_store(g, y, sum##r##_0, 0);                                         \
        if (g->accumulate) last += load_head(y + done, n);                                        \
        if (g->bias) last += load_head(g->bias + done, n);                                        \
        store_head(y + done, g->relu ? vmax(zero, last) : last, n);                               \
    }

/* Sums to an array, to be stored from there. */
#define ROW_KEEP(r)                                                                               \
    if (r < rows) {                                                                               \
        store(sums + r * vectors * LANES, sum##r##_0);                                            \
        if (vectors > 1) store(sums + r * vectors * LANES + LANES, sum##r##_1);                   \
        if (vectors > 2) store(sums + r * vectors * LANES + 2 * LANES, sum##r##_2);               \
    }

/* y[row + r][columns] for r < rows. */
INLINE void tile(const tile_job *g, int64_t row, const int rows, const int vectors) {
    const vf zero = {0};
    EACH_ROW(ROW_SUMS)
    for (int64_t t = 0; t < g->taps; t++) {
        const float *const *from = g->a + t * g->a_stride + row;
        const float *b = g->b + (g->tap ? g->tap[t].slice : t) * g->slice + g->b_offset;
        EACH_ROW(TILE_ROW)
        for (int64_t c = 0; c < g->depth; c++, b += vectors * LANES) {
            LOAD_COLUMNS(b)
            EACH_ROW(TILE_ADD)
        }
    }
    if (g->columns == vectors * LANES) {
        EACH_ROW(TILE_STORE)
    } else if (MASKED_STORES) {
        const int64_t done = (vectors - 1) * LANES, n = g->columns - done;
        EACH_ROW(TILE_STORE_MASKED)
    } else {
        float sums[MR_1 * NR];
        EACH_ROW(ROW_KEEP)
        tile_store_part(g, row, sums, vectors * LANES);
    }
}

#define TAIL(r)                                                                                   \
    case r:                                                                                       \
        if (r < full) tile(g, row, r < full ? r : 1, vectors);                                    \
        break;

INLINE void tile_rows(const tile_job *g, const int full, const int vectors) {
    int64_t row = 0;
    for (; row + full <= g->rows; row += full) tile(g, row, full, vectors);
    switch (g->rows - row) {
        TAIL(1) TAIL(2) TAIL(3) TAIL(4) TAIL(5) TAIL(6) TAIL(7) TAIL(8) TAIL(9) TAIL(10) TAIL(11)
    }
}

#define TILE_FUNCTION(name, full, vectors)                                                        \
    static __attribute__((noinline)) void name(const tile_job *g) { tile_rows(g, full, vectors); }
TILE_FUNCTION(tile_rows_1, MR_1, 1)
TILE_FUNCTION(tile_rows_2, MR, 2)
TILE_FUNCTION(tile_rows_all, MR, NV)

#include "linear/simd/half.h"

INLINE void tile_panel(const tile_job *g) {
    if (g->columns <= HALF) half_tile_rows(g);
    else if (g->columns <= LANES) tile_rows_1(g);
    else if (NV > 2 && g->columns <= 2 * LANES) tile_rows_2(g);
    else tile_rows_all(g);
}

/* Four vectors of 4 floats, turned by two rounds of interleaving. */
typedef float v4 __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__clang__) || __GNUC__ >= 12
#define ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
typedef int32_t i4 __attribute__((vector_size(16)));
#define ZIP_LOW(a, b) __builtin_shuffle(a, b, (i4){0, 4, 1, 5})
#define ZIP_HIGH(a, b) __builtin_shuffle(a, b, (i4){2, 6, 3, 7})
#endif

INLINE void turn_rows(const float *row0, const float *row1, const float *row2, const float *row3,
                      float *to, int64_t width) {
    v4 a = *(const v4_unaligned *)row0, b = *(const v4_unaligned *)row1;
    v4 c = *(const v4_unaligned *)row2, d = *(const v4_unaligned *)row3;
    v4 ac = ZIP_LOW(a, c), bd = ZIP_LOW(b, d), ac2 = ZIP_HIGH(a, c), bd2 = ZIP_HIGH(b, d);
    *(v4_unaligned *)to = ZIP_LOW(ac, bd);
    *(v4_unaligned *)(to + width) = ZIP_HIGH(ac, bd);
    *(v4_unaligned *)(to + 2 * width) = ZIP_LOW(ac2, bd2);
    *(v4_unaligned *)(to + 3 * width) = ZIP_HIGH(ac2, bd2);
}

INLINE void turn_4x4(const float *from, int64_t stride, float *to, int64_t width) {
    turn_rows(from, from + stride, from + 2 * stride, from + 3 * stride, to, width);
}

/* out[depth][width] = w[columns][depth]^T, zeros to the right. A cache line of each row at a time:
 * rows that lie a power of two apart push each other out of the cache. */
static void pack_columns(const float *__restrict w, int64_t stride, int64_t depth,
                         int64_t columns, float *__restrict out) {
    static const float zeros[16];
    int64_t width = whole(columns, LANES), even = depth / 4 * 4;
    for (int64_t c = 0; c < even; c += 16)
        for (int64_t j = 0; j < width; j += 4) {
            const float *row[4];
            for (int k = 0; k < 4; k++) row[k] = j + k < columns ? w + (j + k) * stride + c : zeros;
            for (int64_t i = 0; i < smaller(16, even - c); i += 4)
                turn_rows(row[0] + i, row[1] + i, row[2] + i, row[3] + i, out + (c + i) * width + j,
                          width);
        }
    for (int64_t c = even; c < depth; c++)
        for (int64_t j = 0; j < width; j++) out[c * width + j] = j < columns ? w[j * stride + c] : 0;
}

/* out[depth][width] = w[depth][columns], zeros to the right. */
static void pack_rows(const float *__restrict w, int64_t stride, int64_t depth, int64_t columns,
                      float *__restrict out) {
    int64_t width = whole(columns, LANES);
    for (int64_t c = 0; c < depth; c++, w += stride, out += width) {
        int64_t j = 0;
        for (; j + LANES <= columns; j += LANES) store(out + j, load(w + j));
        if (j < columns) store(out + j, load_head(w + j, columns - j));
    }
}

/* Rows about a page apart share their places in the first cache: a tile of twelve would push out
 * its own lines. So they are copied, a line more than half a page apart. */
static void copy_rows(const float *x, int64_t stride, int64_t rows, int64_t depth, float *out) {
    for (int64_t r = 0; r < rows; r++)
        memcpy(out + r * COPY_STRIDE, x + r * stride, (size_t)depth * 4);
}

/* Scratch: pointers to rows of x and of y, then one packed panel of one block of depth, then rows of
 * x where they are copied. */
static void linear_block(const linear_product *g, int64_t row, int64_t rows, int64_t panel,
                         int64_t end, char *scratch) {
    const float **a = (const float **)scratch, *x = g->x + row * g->depth;
    float **y = (float **)(a + rows);
    float *packed = (float *)(scratch + whole(rows * 16, 64)), *copy = packed + LINEAR_DEPTH * NR;
    int copies = copies_rows(g->depth);
    int64_t step = linear_step(g->depth);
    tile_job job = {.rows = rows, .taps = 1, .a = a, .a_stride = rows, .b = packed, .y = y};
    for (int64_t r = 0; r < rows; r++) {
        a[r] = copies ? copy + r * COPY_STRIDE : x + r * g->depth;
        y[r] = g->y + (row + r) * g->columns;
    }
    for (int64_t c = 0; c < g->depth; c += step) {
        int last = c + step >= g->depth;
        job.depth = smaller(step, g->depth - c);
        job.a_offset = copies ? 0 : c;
        job.accumulate = c > 0;
        job.relu = last && g->relu;
        if (copies) copy_rows(x + c, g->depth, rows, job.depth, copy);
        for (int64_t q = panel; q < end; q++) {
            int64_t first = q * NR;
            job.columns = smaller(NR, g->columns - first);
            job.y_offset = first;
            job.bias = last && g->bias ? g->bias + first : NULL;
            if (g->packed)
                job.b = g->packed + c * whole(g->columns, LANES) + first * job.depth;
            else if (g->transposed)
                pack_rows(g->w + c * g->columns + first, g->columns, job.depth, job.columns,
                          packed);
            else
                pack_columns(g->w + first * g->depth + c, g->depth, job.depth, job.columns,
                             packed);
            tile_panel(&job);
        }
    }
}

#endif

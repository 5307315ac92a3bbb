/* Copies: of planes between layouts, and past the caches. */
#ifndef FASTNN_ARRAYS_COPY_H
#define FASTNN_ARRAYS_COPY_H

#include "simd/sizes.h"
#include "simd/vector.h"

typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__clang__)
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, (v4i){i, j, k, l})
#endif

/* r[i] becomes column i of the 4 x 4 matrix of rows r. */
INLINE void transpose4(v4 r[4]) {
    v4 a = SHUFFLE4(r[0], r[1], 0, 4, 1, 5), b = SHUFFLE4(r[2], r[3], 0, 4, 1, 5);
    v4 c = SHUFFLE4(r[0], r[1], 2, 6, 3, 7), e = SHUFFLE4(r[2], r[3], 2, 6, 3, 7);
    r[0] = SHUFFLE4(a, b, 0, 1, 4, 5);
    r[1] = SHUFFLE4(a, b, 2, 3, 6, 7);
    r[2] = SHUFFLE4(c, e, 0, 1, 4, 5);
    r[3] = SHUFFLE4(c, e, 2, 3, 6, 7);
}

INLINE void transpose_loop(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                           float *y, int64_t y_row) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[i * y_row + j] = x[i + j * x_column];
}

/* Blocks of 16 x 16: each cache line of x and y is used completely while it is cached. */
INLINE void transpose_tile(const float *x, int64_t x_column, float *y, int64_t y_row) {
    for (int64_t j = 0; j < 16; j += 4)
        for (int64_t i = 0; i < 16; i += 4) {
            v4 r[4];
            for (int k = 0; k < 4; k++) r[k] = *(const v4_unaligned *)(x + i + (j + k) * x_column);
            transpose4(r);
            for (int k = 0; k < 4; k++) *(v4_unaligned *)(y + (i + k) * y_row + j) = r[k];
        }
}

/* 2 or 3 columns, y without gaps: whole vectors are stored, the next row overwrites their ends. */
INLINE int64_t interleave(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                          float *y) {
    int64_t i = 0;
    for (; i + 6 <= rows; i += 4) {
        v4 r[4] = {{0}};
        for (int64_t k = 0; k < columns; k++) r[k] = *(const v4_unaligned *)(x + i + k * x_column);
        transpose4(r);
        for (int k = 0; k < 4; k++) *(v4_unaligned *)(y + (i + k) * columns) = r[k];
    }
    return i;
}

static void transpose(int64_t rows, int64_t columns, const float *x, int64_t x_column, float *y,
                      int64_t y_row) {
    int64_t i = 0, j;
    if (columns == 3 && y_row == 3) i = interleave(rows, 3, x, x_column, y);
    else if (columns == 2 && y_row == 2) i = interleave(rows, 2, x, x_column, y);
    else
        for (; i + 16 <= rows; i += 16) {
            for (j = 0; j + 16 <= columns; j += 16)
                transpose_tile(x + i + j * x_column, x_column, y + i * y_row + j, y_row);
            if (j < columns)
                transpose_loop(16, columns - j, x + i + j * x_column, x_column,
                               y + i * y_row + j, y_row);
        }
    if (i < rows) transpose_loop(rows - i, columns, x + i, x_column, y + i * y_row, y_row);
}

static void copy_plane(int64_t rows, int64_t n, const float *x, int64_t x_row, int64_t x_step,
                       float *y, int64_t y_row, int64_t y_step) {
    for (int64_t i = 0; i < rows; i++, x += x_row, y += y_row) {
        int64_t j = 0;
        if (y_step == 1 && x_step == 1) {
            if (n >= 256) {
                memcpy(y, x, (size_t)n * 4);
                continue;
            }
            for (; j + LANES <= n; j += LANES) store(y + j, load(x + j));
        } else if (y_step == 1 && x_step == 0) {
            for (; j + LANES <= n; j += LANES) store(y + j, splat(*x));
        }
        for (; j < n; j++) y[j * y_step] = x[j * x_step];
    }
}

/* y[n] = x[n] past the caches where the processor can, which saves reading y before it is
 * written: whole vectors from y's first cache line on. After the last copy: fence_past. */
static void copy_past(int64_t n, const float *x, float *y) {
    int64_t j = smaller(n, (int64_t)(-(uintptr_t)y % 64 / sizeof(float)));
    memcpy(y, x, (size_t)j * sizeof(float));
    for (; j + 4 * LANES <= n; j += 4 * LANES)
        for (int i = 0; i < 4; i++) store_past(y + j + i * LANES, load(x + j + i * LANES));
    for (; j + LANES <= n; j += LANES) store_past(y + j, load(x + j));
    if (j < n) store_head(y + j, load_head(x + j, n - j), n - j);
}

#endif

/* Depthwise convolutions with one output per channel. */
#ifndef FASTNN_LINES_TABLE_H
#define FASTNN_LINES_TABLE_H

#include "linear/simd/gemm_table.h"

enum { LINES_FLOATS = 4096 }; /* of weights that are repeated for each pixel of a unit, at most */

/* Outputs in one block of work: some lines of an image, whose input stays in L2. */
static inline int64_t lines_pixels(int64_t columns) { return larger(24, 8192 / columns); }

/* Bytes of scratch for one call. */
static inline int64_t lines_scratch(int64_t taps) {
    return whole(32 * taps, 64) + 2 * 4 * LINES_FLOATS;
}

typedef struct {
    /* Pixels [first, first + count) of the target; weights packed [taps][columns]. */
    void (*conv)(const conv_product *g, int64_t first, int64_t count, char *scratch);
    /* dw[taps][depth] from pixels [first, first + count); overwritten. */
    void (*outer)(const outer_product *g, int64_t first, int64_t count, float *dw, char *scratch);
} lines_table;

#endif

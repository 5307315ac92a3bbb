/* Convolutions whose groups have one input channel each. */
#ifndef FASTNN_DEPTHWISE_TABLE_H
#define FASTNN_DEPTHWISE_TABLE_H

#include "linear/simd/gemm_table.h"

/* Bytes of scratch for one call. */
static inline int64_t depthwise_scratch(int64_t taps, int64_t pixels, int64_t columns) {
    return whole(8 * pixels * (taps + 1), 64) + 4 * 5 * whole(columns, 16);
}

typedef struct {
    /* Each channel of x gives `spread` columns: weights packed [taps][columns]. */
    void (*conv)(const conv_product *g, int64_t first, int64_t count, char *scratch);
    /* dw[taps][depth] from pixels [first, first + count). */
    void (*outer)(const outer_product *g, int64_t first, int64_t count, float *dw,
                  char *scratch);
} depthwise_table;

#endif

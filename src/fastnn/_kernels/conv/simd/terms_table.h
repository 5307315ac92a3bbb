/* Weight gradients of few input channels. */
#ifndef FASTNN_TERMS_TABLE_H
#define FASTNN_TERMS_TABLE_H

#include "linear/simd/gemm_table.h"

/* Bytes of scratch for one call. */
static inline int64_t outer_terms_scratch(const padded_image *v, int64_t lines, int64_t rows) {
    int64_t terms = v->kh * v->kw * v->c;
    return 4 * padded_floats(v, lines) + whole(4 * terms * whole(rows, 16) + 8 * terms, 64);
}
/* Whether vectors of rows are better filled than those of terms, by a twelfth. */
static inline int by_terms(const padded_image *v, int64_t rows, int64_t lanes) {
    int64_t terms = v->kh * v->kw * v->c;
    return 12 * rows * whole(terms, lanes) >= 13 * terms * whole(rows, lanes);
}

typedef struct {
    /* As gemm.outer_padded, for rows that fill vectors. */
    void (*outer)(const outer_product *g, const padded_image *v, int64_t rows, int64_t line,
                  int64_t end, float *dw, char *scratch);
} terms_table;

#endif

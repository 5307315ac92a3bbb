/* For few columns, which would leave most of a vector empty. */
#ifndef FASTNN_INNER_TABLE_H
#define FASTNN_INNER_TABLE_H

#include "linear/simd/gemm_table.h"

enum { INNER_COLUMNS = 4 }; /* at most, in one tile */

/* Columns of one tile, of even tiles. */
static inline int64_t inner_columns(int64_t columns) {
    return even_part(columns, INNER_COLUMNS, 1);
}

/* The depth of a tap as one of four or more lanes sees it. In its place it gives the pixels of a
 * block, the taps that are summed together, and the scratch: as for other convolutions. */
static inline int64_t lane_depth(int64_t depth) { return larger(1, depth / 4); }

/* Whether vectors of the depth are better filled than vectors of columns, and long enough for the
 * one sum over lanes of each output. */
static inline int is_inner(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) {
    return 2 * columns <= lanes && taps * depth >= 8 * lanes &&
           3 * depth * lanes > 4 * columns * whole(depth, lanes);
}

/* Floats of the packed weights of one group. */
static inline int64_t inner_floats(int64_t taps, int64_t depth, int64_t columns, int64_t lanes) {
    return taps * whole(depth, lanes) * columns;
}

typedef struct {
    /* The packed weights of one group, from w[columns][slices][depth] or, turned,
     * w[depth][slices][columns]. */
    void (*pack)(const float *w, int64_t slices, int64_t depth, int64_t columns, int turned,
                 float *out);
    /* Pixels [first, first + count) of the target; weights packed as
     * [columns / inner_columns][slice][vector of the depth][inner_columns][lane]. */
    void (*conv)(const conv_product *g, int64_t first, int64_t count, char *scratch);
} inner_table;

#endif

/* The micro-kernels of taking rows by their places (take.c). */
#ifndef FASTNN_TAKE_H
#define FASTNN_TAKE_H

#include <stdint.h>

#include "simd/levels.h"

/* The sizes of `take`, as it gets them. */
typedef struct {
    int64_t n, h, w, c;      /* of x */
    int64_t oh, ow;          /* of y */
    int64_t h_taps, w_taps;  /* places that are summed for each row and column of y */
} take_shape;

/* Which places of an axis: index[size, taps], weight[size, taps] or NULL for ones. */
typedef struct {
    const int64_t *index;
    const float *weight;
} take_table;

typedef struct {
    /* Pixels first .. last of line `row` of one image, y[ow, c] of it, `columns` floats from
     * `column` on: the sum over taps of weights times x; `fill` where all of y is one tap of no
     * place. rows.index may be NULL: row `row` of x. */
    void (*take_line)(const take_shape *g, const float *x, const take_table *rows,
                      const take_table *places, int64_t row, int64_t first, int64_t last,
                      int64_t column, int64_t columns, float fill, float *y);
    /* dx[index[k, t]] += weight[k, t] * dy[k] for n * taps places, those from `first` to `last`
     * but not `skip`; rows of dy and dx are `stride` floats apart, `columns` of each are added. */
    void (*scatter)(int64_t n, int64_t taps, const int64_t *index, const float *weight,
                    int64_t first, int64_t last, int64_t skip, int64_t columns, int64_t stride,
                    const float *dy, float *dx);
} take_functions;

DECLARE_TABLES(take_functions, take)

#endif

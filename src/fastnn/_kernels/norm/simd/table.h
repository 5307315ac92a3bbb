/* The micro-kernels of batch norm (norm.h). */
#ifndef FASTNN_NORM_TABLE_H
#define FASTNN_NORM_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* Blocks of x[rows][width], row after row `stride` floats apart, where
 * width <= NORM_WIDTH; all per-column vectors have `width` values. */
enum { NORM_WIDTH = 1024 };
typedef struct {
    const float *mean, *scale, *bias; /* y = (x - mean) * scale + bias */
    const float *slope, *offset;      /* dx = dy * scale + (x - mean) * slope + offset */
} norm_columns;
typedef struct {
    int64_t width; /* of the vectors: they repeat the channels of some pixels, whole ones */
    norm_columns columns;
} norm_rows;
typedef struct {
    void (*moments)(int64_t rows, int64_t width, int64_t stride, const float *x, double *mean,
                    double *square);
    void (*apply)(int64_t rows, int64_t width, int64_t stride, const float *x,
                  const norm_columns *v, float *y, int relu);
    void (*apply_add_relu)(int64_t rows, int64_t width, int64_t stride, const float *x,
                           const float *shortcut, const norm_columns *v, float *y);
    void (*apply_both_relu)(int64_t rows, int64_t width, int64_t stride, const float *x,
                            const norm_columns *v, const float *z, const norm_columns *w, float *y);
    void (*sums)(int64_t rows, int64_t width, int64_t stride, const float *dy, const float *x,
                 const norm_columns *v, double *sum, double *product, int relu);
    void (*backward)(int64_t rows, int64_t width, int64_t stride, const float *dy, const float *x,
                     const norm_columns *v, float *dx, int relu, int constant_statistics);
} norm_table;

DECLARE_TABLES(norm_table, norm)

#endif

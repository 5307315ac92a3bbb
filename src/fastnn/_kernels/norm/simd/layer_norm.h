/* The micro-kernels of layer norm and RMS norm (layer_norm.c). */
#ifndef FASTNN_LAYER_NORM_TABLE_H
#define FASTNN_LAYER_NORM_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* Rows of n values that lie one after the other. weight, bias [n]: NULL for ones and zeros. */
typedef struct {
    void (*layer_norm)(int64_t rows, int64_t n, const float *x, const float *weight,
                       const float *bias, double eps, float *y, float *mean, float *rstd);
    void (*rms_norm)(int64_t rows, int64_t n, const float *x, const float *weight, double eps,
                     float *y, float *rstd);
    /* dx, overwritten; with a weight also sums over the rows, overwritten: sums[n] of
     * dy * (x - mean) * rstd, then [n] of dy. room: 2 n floats. */
    void (*layer_norm_backward)(int64_t rows, int64_t n, const float *dy, const float *x,
                                const float *mean, const float *rstd, const float *weight,
                                float *dx, double *sums, float *room);
    /* the same with means of 0, and without the sum of dy. room: n floats. */
    void (*rms_norm_backward)(int64_t rows, int64_t n, const float *dy, const float *x,
                              const float *rstd, const float *weight, float *dx, double *sums,
                              float *room);
} layer_norm_table;

DECLARE_TABLES(layer_norm_table, layer_norm)

#endif

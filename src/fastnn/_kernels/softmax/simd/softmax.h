/* The micro-kernels of softmax and cross-entropy (softmax.c). */
#ifndef FASTNN_SOFTMAX_TABLE_H
#define FASTNN_SOFTMAX_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* Rows of `classes` values, one where no count is given. */
typedef struct {
    void (*softmax)(int64_t classes, const float *x, float *y);
    void (*log_softmax)(int64_t classes, const float *x, float *y);
    void (*softmax_grad)(int64_t classes, const float *y, const float *dy, float *dx);
    void (*log_softmax_grad)(int64_t classes, const float *y, const float *dy, float *dx);
    /* of each row the max of x and the log of the sum of exp(x - max) */
    void (*max_and_log_sum)(int64_t rows, int64_t classes, const float *x, float *max,
                            float *log_sum);
    /* sum of (x - max) * weight; weight NULL: ones */
    float (*weighted_sum)(int64_t classes, const float *x, const float *weight, float max);
    /* dx = exp(x - max[row] - log_sum[row]) * gain[row] - (weight or ones) * smooth[row] */
    void (*cross_entropy_grad)(int64_t rows, int64_t classes, const float *x, const float *weight,
                               const float *max, const float *log_sum, const float *gain,
                               const float *smooth, float *dx);
} softmax_table;

DECLARE_TABLES(softmax_table, softmax)

#endif

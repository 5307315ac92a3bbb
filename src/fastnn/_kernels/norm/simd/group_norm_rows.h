/* The micro-kernels of group norm where a channel's places lie in one row (group_norm_rows.c). */
#ifndef FASTNN_GROUP_NORM_ROWS_TABLE_H
#define FASTNN_GROUP_NORM_ROWS_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* Rows of n values. */
typedef struct {
    void (*moments)(int64_t n, const float *x, double *mean, double *square);
    /* y = (x - mean) * scale + bias */
    void (*apply)(int64_t n, const float *x, float mean, float scale, float bias, float *y);
    /* sum of dy, and of dy * (x - mean) */
    void (*sums)(int64_t n, const float *dy, const float *x, float mean, double *sum,
                 double *product);
    /* dx = dy * scale + (x - mean) * slope + offset */
    void (*backward)(int64_t n, const float *dy, const float *x, float mean, float scale,
                     float slope, float offset, float *dx);
} group_norm_rows_table;

DECLARE_TABLES(group_norm_rows_table, group_norm_rows)

#endif

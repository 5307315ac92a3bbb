/* The micro-kernels of PReLU (prelu.c): rows of n values with a slope each, and runs with one. */
#ifndef FASTNN_PRELU_H
#define FASTNN_PRELU_H

#include <stdint.h>

#include "simd/levels.h"

typedef struct {
    /* y = x > 0 ? x : x * w: x[rows][n], w[n]; or x[n] and one slope. y may be x. */
    void (*rows)(int64_t rows, int64_t n, const float *x, const float *w, float *y);
    void (*run)(int64_t n, const float *x, float slope, float *y);
    /* dx = x > 0 ? dy : dy * w; sums[n] = the sum over rows of dy * x where x <= 0; or of a run.
     * dx may be dy. */
    void (*rows_grad)(int64_t rows, int64_t n, const float *x, const float *dy, const float *w,
                      float *dx, double *sums);
    double (*run_grad)(int64_t n, const float *x, const float *dy, float slope, float *dx);
} prelu_table;

DECLARE_TABLES(prelu_table, prelu)

#endif

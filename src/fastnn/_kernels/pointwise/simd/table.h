/* Pointwise functions of one tensor (pointwise.h) and of two (binary.h): a row each. */
#ifndef FASTNN_POINTWISE_TABLE_H
#define FASTNN_POINTWISE_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* y[n] = f(x[n]); s: the operation's own numbers (slope, alpha). */
typedef void (*unary_fn)(int64_t n, const float *x, float *y, const double *s);
/* dx[n] = dy[n] * f'(.), where saved[n] is x or y, as the row of the table says. */
typedef void (*unary_grad_fn)(int64_t n, const float *saved, const float *dy, float *dx,
                              const double *s);

/* y[rows, n] = f(a, b): a[i*a_row + j*a_step], b likewise, y[i*n + j]. y may be a or b. */
typedef void (*binary_fn)(int64_t rows, int64_t n, const float *a, int64_t a_row, int64_t a_step,
                          const float *b, int64_t b_row, int64_t b_step, float *y);
enum { UNARY_MAX = 64, BINARY_MAX = 24 };

typedef struct {
    const char *name;
    const char *formula;    /* for people, as shown in the docstring */
    const char *arguments;  /* "beta=1.0, threshold=20.0", at most two, or "" */
    char saved;             /* what the gradient reads: 'x' or 'y' */
    unary_fn forward;
    unary_grad_fn backward;
} unary_row;

typedef struct {
    const char *name;
    const char *formula;
    binary_fn function;
} binary_row;

typedef struct {
    int unary_count;
    unary_row unary[UNARY_MAX];
    int binary_count;
    binary_row binary[BINARY_MAX];
    void (*add)(int64_t n, const float *a, const float *b, float *y);
    void (*fill)(int64_t n, float value, float *y);
} pointwise_table;

DECLARE_TABLES(pointwise_table, pointwise)

#endif

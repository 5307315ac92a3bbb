/* The table of micro-kernels: one row per function, one table per instruction set.
 *
 * A body (pointwise.h, ...) defines static functions; body.h gathers them into SIMD_TABLE(LEVEL).
 * The first fields describe the level; dispatch.pyx picks one table at import.
 */
#ifndef FASTNN_TABLE_H
#define FASTNN_TABLE_H

#include <stdint.h>

/* y[n] = f(x[n]); s: the operation's own numbers (slope, alpha). */
typedef void (*unary_fn)(int64_t n, const float *x, float *y, const double *s);
/* dx[n] = dy[n] * f'(.), where saved[n] is x or y, as the row of the table says. */
typedef void (*unary_grad_fn)(int64_t n, const float *saved, const float *dy, float *dx,
                              const double *s);

enum { UNARY_MAX = 32 };

typedef struct {
    const char *name;
    const char *formula;    /* for people, as shown in the docstring */
    const char *arguments;  /* "negative_slope=0.01", comma separated, or "" */
    char saved;             /* what the gradient reads: 'x' or 'y' */
    unary_fn forward;
    unary_grad_fn backward;
} unary_row;

#include "gemm_table.h"

typedef struct {
    const char *level;
    int lanes;
    int unary_count;
    unary_row unary[UNARY_MAX];
    gemm_table gemm;
} simd_table;

#if defined(__x86_64__)
extern const simd_table simd_table_baseline, simd_table_avx2, simd_table_avx512;
#else
extern const simd_table simd_table_neon;
#endif

#endif

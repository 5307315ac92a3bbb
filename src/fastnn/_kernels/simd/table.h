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

/* y[rows, n] = f(a, b): a[i*a_row + j*a_step], b likewise, y[i*n + j]. y may be a or b. */
typedef void (*binary_fn)(int64_t rows, int64_t n, const float *a, int64_t a_row, int64_t a_step,
                          const float *b, int64_t b_row, int64_t b_step, float *y);
/* The step of that number of n elements: buffers[0] is the parameter, [1] the gradient, then the
 * state. */
typedef void (*optimizer_fn)(int64_t n, int64_t step, const double *hyper, float *const *buffers);

enum { UNARY_MAX = 32, BINARY_MAX = 16, OPTIMIZER_MAX = 16, PEAK_CHAINS = 12 };

typedef struct {
    const char *name;
    const char *formula;    /* for people, as shown in the docstring */
    const char *arguments;  /* "negative_slope=0.01", comma separated, or "" */
    char saved;             /* what the gradient reads: 'x' or 'y' */
    unary_fn forward;
    unary_grad_fn backward;
} unary_row;

/* Batch norm (norm.h). Blocks of x[rows][width], row after row `stride` floats apart, where
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
} norm_kernels;

/* Pooling (pool.h, average.h) of one NHWC image per call. */
typedef struct {
    int64_t n, h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, oh, ow;
} max_pool_shape;
typedef struct {
    int64_t size, out; /* of the input, of the output */
    int64_t k, stride, pad, pad_end, count_padding; /* k = 0: bins of adaptive pooling */
} pool_axis;
typedef struct {
    int64_t n, c, divisor; /* divisor = 0: the size of each window */
    pool_axis rows, columns;
} average_shape;
typedef struct {
    /* x[h][w][c], behind a norm and a ReLU unless NULL; row oy of y[oh][ow][c] and, unless NULL, of
     * offsets[oh][ow][c] */
    void (*max_forward)(const max_pool_shape *g, const float *x, const norm_rows *norm, int64_t oy,
                        float *y, uint8_t *offsets);
    /* dy[oh][ow][c], offsets[oh][ow][c], rows first..end of dx[h][w][c] */
    void (*max_backward)(const max_pool_shape *g, const float *dy, const uint8_t *offsets,
                         int64_t first, int64_t end, float *dx);
    void (*average_forward)(const average_shape *g, const float *x, int64_t oy, float *y);
    void (*average_backward)(const average_shape *g, const float *dy, int64_t first, int64_t end,
                             float *dx);
} pool_kernels;

/* Softmax and cross-entropy (softmax.h) of rows of `classes` values, one where no count is given. */
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
} softmax_kernels;

typedef struct {
    const char *name;
    const char *formula;
    binary_fn function;
} binary_row;

typedef struct {
    const char *name;
    const char *hyper;  /* names of the numbers in hyper, comma separated */
    int buffers;        /* per tensor: parameter, gradient, state */
    optimizer_fn update;
} optimizer_row;
#include "gemm_table.h"
#include "inner_table.h"
#include "lines_table.h"
#include "planar_table.h"
#include "winograd_table.h"

typedef struct {
    const char *level;
    int lanes;
    /* pooling, batch norm, softmax */
    pool_kernels pool;
    norm_kernels norm;
    softmax_kernels softmax;
    /* pointwise */
    int unary_count;
    unary_row unary[UNARY_MAX];
    /* memory: pointwise of two tensors, copies, sums, dropout, optimizers */
    int binary_count;
    binary_row binary[BINARY_MAX];
    int optimizer_count;
    optimizer_row optimizer[OPTIMIZER_MAX];
    void (*add)(int64_t n, const float *a, const float *b, float *y);
    void (*fill)(int64_t n, float value, float *y);
    /* y[i*y_row + j*y_step] = x[i*x_row + j*x_step] for i < rows, j < n */
    void (*copy_plane)(int64_t rows, int64_t n, const float *x, int64_t x_row, int64_t x_step,
                       float *y, int64_t y_row, int64_t y_step);
    /* y[i*y_row + j] = x[i + j*x_column] */
    void (*transpose)(int64_t rows, int64_t columns, const float *x, int64_t x_column,
                      float *y, int64_t y_row);
    /* y[n] = x[n] past the caches, and what makes all such copies of this thread seen by others */
    void (*copy_past)(int64_t n, const float *x, float *y);
    void (*fence_past)(void);
    /* sums[j] = sum over rows of x[i*x_row + j]; sum_run: the sum of x[n];
     * square_sum_run: that of (factor * x)^2 */
    void (*sum_rows)(int64_t rows, int64_t columns, const float *x, int64_t x_row,
                     double *sums);
    double (*sum_run)(int64_t n, const float *x);
    double (*square_sum_run)(int64_t n, const float *x, float factor);
    int (*all_finite)(int64_t n, const float *x);
    /* Elements first .. first + n of the stream (seed, step, node); first a multiple of 64. */
    void (*dropout)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                    const float *x, float *y);
    /* peak.h: for benchmarks */
    float (*fma_run)(int64_t rounds);
    gemm_table gemm;
    inner_table inner;
    lines_table lines;
    planar_table planar;
    winograd_table winograd, winograd_strided;
} simd_table;

#if defined(__x86_64__)
extern const simd_table simd_table_baseline, simd_table_avx2, simd_table_avx512;
#else
extern const simd_table simd_table_neon;
#endif

#endif

/* The micro-kernels of pooling (max_pool.h, average.h): one NHWC image per call. */
#ifndef FASTNN_POOL_TABLE_H
#define FASTNN_POOL_TABLE_H

#include <stdint.h>
#include "norm/simd/table.h"
#include "simd/levels.h"

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
    /* x[h][w][c]; row oy of y[oh][ow][c] and of places[oh][ow][c]; kh = 0 or kw = 0: bins */
    void (*max_places)(const max_pool_shape *g, const float *x, int64_t oy, float *y,
                       int64_t *places);
    void (*average_forward)(const average_shape *g, const float *x, int64_t oy, float *y);
    void (*average_backward)(const average_shape *g, const float *dy, int64_t first, int64_t end,
                             float *dx);
} pool_table;

DECLARE_TABLES(pool_table, pool)

#endif

/* Convolutions of few channels, of stride and dilation 1, for planar.pyx. */
#ifndef FASTNN_PLANAR_TABLE_H
#define FASTNN_PLANAR_TABLE_H

#include <stdint.h>

#include "linear/simd/gemm_table.h"

enum { PLANAR_CHANNELS = 64 }; /* at most, on either side */

/* One group. Pixel (i, j) of the target takes tap (a, b) from pixel (i + a - top, j + b - left) of
 * the source; a tap outside of the source is zero. */
typedef struct {
    int64_t h, w, c, x_pixel;  /* source images; floats from one pixel to the next */
    int64_t oh, ow, k, y_pixel; /* target images */
    int64_t kh, kw, top, left;
} planar_shape;

static inline int64_t whole_16(int64_t n) { return whole(n, 16); }

/* Channels of the target that are summed together: even tiles, each within tile_rows. */
static inline int64_t planar_rows(const planar_shape *v, int64_t tile_rows) {
    return even_part(v->k, tile_rows, 1);
}

/* Floats of one line of one channel: whole vectors can be read at every tap, and written. */
static inline int64_t planar_pitch(const planar_shape *v) {
    return whole_16(whole_16(v->ow) + v->kw + 3);
}

/* Lines of the target in one block: its lines of source and target stay in L1, or else in L2, as
 * the source lines that two blocks share are laid out twice. */
static inline int64_t planar_lines(const planar_shape *v) {
    enum { L1_FLOATS = 5120, L2_FLOATS = 32768 };
    int64_t row = v->c * planar_pitch(v), more = v->kh - 1;
    int64_t most = larger(L1_FLOATS / row - more, smaller(2 * v->kh, L2_FLOATS / row - more));
    return even_part(v->oh, larger(1, most), 1);
}

/* Bytes of scratch for one call of conv, of at most planar_lines lines. */
static inline int64_t planar_scratch(const planar_shape *v) {
    int64_t rows = planar_lines(v) + v->kh - 1, pitch = planar_pitch(v);
    return 4 * ((rows * v->c + 3) * pitch + (v->k + 3) * whole_16(v->ow)) +
           4 * whole_16(2 * v->kh * v->kw * v->c);
}

/* The same for outer: source lines, target lines, pointers, a vector for each value of dw. */
static inline int64_t planar_outer_scratch(const planar_shape *v) {
    int64_t rows = planar_lines(v) + v->kh - 1, taps = v->kh * v->kw * v->c;
    return 4 * ((rows * v->c + 3) * planar_pitch(v) +
                planar_lines(v) * v->k * whole_16(v->ow) + 64 + taps * v->k * 16) +
           4 * whole_16(2 * taps);
}

typedef struct {
    /* Lines [line, end) of y[image][oh][ow][k] = sums of taps of x[image][h][w][c] and packed
     * weights [k / planar_rows][kh][kw][c][tile_rows]; bias[k] or NULL. */
    void (*conv)(const planar_shape *v, const float *x, const float *packed, const float *bias,
                 int relu, float *y, int64_t image, int64_t line, int64_t end, char *scratch);
    /* dw[k][kh][kw][c] from lines [line, end) of all images, line = image * oh + i. */
    void (*outer)(const planar_shape *v, const float *x, const float *dy, int64_t line,
                  int64_t end, float *dw, char *scratch);
} planar_table;

#endif

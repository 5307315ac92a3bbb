/* Matrix products whose rows are found through pointers, for linear layers and convolutions. */
#ifndef FASTNN_GEMM_TABLE_H
#define FASTNN_GEMM_TABLE_H

#include <stdint.h>

#include "simd/sizes.h"

/* Pixels (image, i, j) of a grid, and the pixel (i * step_h + offset_h, j * step_w + offset_w) of
 * channels-last images that each of them stands for; offsets come with each tap. */
typedef struct {
    int64_t rows, columns;           /* of the grid */
    int64_t height, width, channels; /* of the images */
    int64_t step_h, step_w;
} pixel_grid;

/* One tap: the offset of the pixels it reads, and which slice of the packed weights it takes. */
typedef struct {
    int64_t offset_h, offset_w, slice;
} conv_tap;

/* y = x w^T (transposed = 0, w[columns, depth]) or y = x w (transposed = 1, w[depth, columns]). */
typedef struct {
    int64_t depth, columns, transposed, relu;
    const float *x, *w, *bias; /* bias[columns], or NULL */
    const float *packed;       /* w by blocks of depth, each by panels; NULL: they are packed anew */
    float *y;
} linear_product;

/* y[target pixel][columns] = sum over taps and depth of x[tap's pixel][depth] * packed weights. */
typedef struct {
    pixel_grid source, target;
    int64_t pixels, taps, depth, columns, relu;
    int64_t slices;      /* taps in a packed panel */
    int64_t spread, fold; /* depthwise: columns per channel of x; columns summed in each of y */
    const conv_tap *tap; /* [taps] */
    conv_tap place;      /* offset of the target pixels */
    const float *x, *zero; /* zero[channels of x] */
    const float *packed;   /* the panels of one group */
    const float *bias;     /* [columns], or NULL */
    float *y;
} conv_product;

/* dw[row * dw_stride + tap's slice * depth + c] (+)= sum over pixels of
 * dy[pixel][row] * x[tap's pixel][c], c < depth. */
typedef struct {
    pixel_grid source, target;
    int64_t taps, depth, dy_stride, dw_stride, accumulate;
    int64_t apart;  /* dy's pixels are those of the target, from place on; else one after another */
    int64_t spread; /* depthwise: depth per channel of x */
    conv_tap place;
    const conv_tap *tap;
    const float *x, *zero, *dy; /* dy: the first column of the group */
} outer_product;

/* What a layer with few input channels, or a group of them, needs to lay its input out with zeros
 * around it. */
typedef struct {
    int64_t all_channels; /* of x; c of them are in the group */
    int64_t h, w, c, kh, kw, stride_h, stride_w, pad_top, pad_left, dilation_h, oh, ow;
} padded_image;

/* Terms summed in registers before a sum goes to memory: a panel of so many rows stays in L1. */
enum { BLOCK_DEPTH = 256 };
/* The same for matrix products: rows are near and few, so a panel may come from L2, and longer sums
 * are stored less often. */
enum { LINEAR_DEPTH = 512, COPY_STRIDE = LINEAR_DEPTH + 16 };

/* The depth of a block of a matrix product; the last one may be less. */
static inline int64_t linear_step(int64_t depth) { return even_part(depth, LINEAR_DEPTH, 8); }

/* The most taps that are summed in registers together. */
static inline int64_t most_taps(int64_t taps, int64_t depth) {
    return smaller(taps, larger(1, BLOCK_DEPTH / depth));
}

/* Pixels in one block of work: few enough that their input stays in L2, and their pointers too. */
static inline int64_t block_pixels(int64_t taps, int64_t depth) {
    return larger(24, smaller(192, 8192 / most_taps(taps, depth) / 24 * 24));
}

/* Whether rows of x lie whole pages apart, or so within two values: twelve are then in one set of
 * the first cache for most of a line. */
static inline int copies_rows(int64_t depth) { return depth > 1000 && (depth + 2) % 1024 <= 4; }

/* Bytes of scratch that each function of the table below needs for one call. */
static inline int64_t linear_scratch(int64_t rows, int64_t depth, int64_t tile_columns) {
    int64_t copy = copies_rows(depth) ? 4 * rows * COPY_STRIDE : 0;
    return whole(16 * rows, 64) + 4 * LINEAR_DEPTH * tile_columns + copy;
}
static inline int64_t conv_scratch(int64_t taps, int64_t depth, int64_t pixels) {
    return whole(8 * pixels * (most_taps(taps, depth) + 1), 64);
}
static inline int64_t padded_floats(const padded_image *v, int64_t lines) {
    int64_t rows = (lines - 1) * v->stride_h + (v->kh - 1) * v->dilation_h + 1;
    return whole(rows * ((v->ow - 1) * v->stride_w + v->kw) * v->c + 16, 16);
}
static inline int64_t conv_padded_scratch(const padded_image *v, int64_t lines) {
    return 4 * padded_floats(v, lines) + conv_scratch(v->kh, v->kw * v->c, lines * v->ow);
}
static inline int64_t outer_scratch(int64_t pixels, int64_t rows, int64_t tile_columns) {
    return whole(24 * pixels, 64) + 4 * pixels * (tile_columns + whole(rows + 11, 16));
}
static inline int64_t outer_padded_scratch(const padded_image *v, int64_t lines) {
    int64_t pixels = lines * v->ow, terms = whole(v->kh * v->kw * v->c, 16);
    return 4 * padded_floats(v, lines) + whole(8 * pixels, 64) + 4 * (pixels * terms + 16);
}
typedef struct {
    int64_t tile_rows, tile_columns; /* outputs held in registers */
    int64_t outer_pixels;            /* pixels that outer sums in registers */

    /* Panel of w for pack_columns: out[depth][width] = w[columns][depth]^T; for pack_rows
     * out[depth][width] = w[depth][columns]; width is columns rounded up to whole vectors. */
    void (*pack_columns)(const float *w, int64_t stride, int64_t depth, int64_t columns,
                         float *out);
    void (*pack_rows)(const float *w, int64_t stride, int64_t depth, int64_t columns, float *out);

    /* Rows [row, row + rows) and panels [panel, end). */
    void (*linear)(const linear_product *g, int64_t row, int64_t rows, int64_t panel, int64_t end,
                   char *scratch);
    /* Pixels [first, first + count) of the target and panels [panel, end). */
    void (*conv)(const conv_product *g, int64_t first, int64_t count, int64_t panel, int64_t end,
                 char *scratch);
    /* The same with x laid out in scratch with its padding: lines [line, end) of one image. */
    void (*conv_padded)(const conv_product *g, const padded_image *v, int64_t image, int64_t line,
                        int64_t end, char *scratch);
    /* Rows [row, end) of dw from pixels [first, first + count). */
    void (*outer)(const outer_product *g, int64_t first, int64_t count, int64_t row, int64_t end,
                  float *dw, char *scratch);
    /* All of dw from lines [line, end) of all images, line = image * oh + i. */
    void (*outer_padded)(const outer_product *g, const padded_image *v, int64_t rows, int64_t line,
                         int64_t end, float *dw, char *scratch);
} gemm_table;

#endif

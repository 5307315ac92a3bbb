/* The micro-kernels of 3x3 convolutions of stride 1 or 2 by Winograd's minimal filtering.
 *
 * A tile of x becomes `planes` values, and so do the weights of two channels. Each belongs to one
 * of the `positions` of a tile of y, which is the sum of up to `terms` of their products.
 */
#ifndef FASTNN_WINOGRAD_TABLE_H
#define FASTNN_WINOGRAD_TABLE_H

#include <stdint.h>

#include "norm/simd/table.h"
#include "simd/levels.h"

/* Tiles of channels-last images: tile (image, i, j) starts at pixel (step i - top, step j - left),
 * where the step is that of the function that reads or writes. */
typedef struct {
    int64_t height, width, channels; /* of the images */
    int64_t rows, columns;           /* tiles of one image, down and across */
    int64_t top, left;
} tile_grid;

/* Transformed tiles: value `plane` of channel c of tile t is at
 * data[plane * `plane` + c / panel * tiles * panel + t * panel + c % panel]. */
typedef struct {
    int64_t tiles, panel, plane;
    float *data;
} tile_values;

/* Sums over the pixels of tiles that are written, in whole vectors of their channels. */
typedef struct {
    const float *x; /* the input of the norm, where y is the gradient of its output */
    const float *mean, *scale, *bias; /* of that norm; scale is NULL without a ReLU behind it */
    const float *shortcut, *gate; /* of write_shortcut */
    float *pivot, *sum, *product;
} tile_sums;

/* Of products m[tile][columns] = v[tile][depth] packed[depth][columns]; floats of one plane. */
typedef struct {
    int64_t tiles, depth, columns, v_plane, packed_plane, m_plane;
} product_sizes;

/* Tiles [first, first + count) of the images, to tile `at` and on of the store: of each pixel the
 * `channels` values from x on, which may be some of g->channels. norm: of read_normed_x. */
typedef void (*read_tiles_fn)(const tile_grid *g, const float *x, const norm_columns *norm,
                              int64_t channels, int64_t first, int64_t count, int64_t at,
                              const tile_values *to);
/* The same back, plus bias[channels], clipped at 0 if relu. */
typedef void (*write_tiles_fn)(const tile_grid *g, const tile_values *from, int64_t channels,
                               int64_t first, int64_t count, int64_t at, const float *bias,
                               int relu, float *y);
/* The product of one plane or position for the panels first .. end of columns. v, m: pointers to
 * tiles; of v for each term, the tiles at position 0 moved by term_planes. */
typedef void (*product_fn)(const product_sizes *g, const float *const *v, const float *packed,
                           float *const *m, int64_t number, int64_t first, int64_t end);

typedef struct {
    int64_t planes, positions, terms, term_planes[4];
    /* Forward, by positions: x, or max(0, norm(x)), to y; write_moments also sets
     * pivot = the mean of each channel in the first tile, sum = sum of (y - pivot) and
     * product = sum of (y - pivot)^2. */
    read_tiles_fn read_x, read_normed_x;
    product_fn multiply;
    write_tiles_fn write_y;
    void (*write_moments)(const tile_grid *g, const tile_values *from, int64_t channels,
                          int64_t first, int64_t count, int64_t at, const float *bias, int relu,
                          float *y, const tile_sums *s);
    /* Input gradient, by planes: dy to dx; write_gradient also sets sum = sum of dx and
     * product = sum of dx (x - mean), without the pixels where the ReLU passed nothing;
     * write_shortcut does so of dx + shortcut where gate > 0 and 0 elsewhere, which it writes. */
    read_tiles_fn read_dy;
    product_fn multiply_back;
    write_tiles_fn write_dx;
    void (*write_gradient)(const tile_grid *g, const tile_values *from, int64_t channels,
                           int64_t first, int64_t count, int64_t at, float *y,
                           const tile_sums *s);
    void (*write_shortcut)(const tile_grid *g, const tile_values *from, int64_t channels,
                           int64_t first, int64_t count, int64_t at, float *y,
                           const tile_sums *s);
    /* Weight gradient, by planes: sums[row][depth] (+)= sum over tiles of dy[tile][row]
     * x[tile][depth]; columns: pointers for `tiles` tiles of x. Then `depth` values of each
     * dw[row][3][3][channels] (+)= the sums of all planes for rows [first, end). */
    read_tiles_fn read_outer_dy;
    void (*outer)(const tile_values *dy, const tile_values *x, int64_t tiles, int64_t rows,
                  int64_t depth, int64_t plane, float *sums, int accumulate,
                  const float **columns);
    void (*write_weight)(const float *sums, int64_t plane, int64_t depth, int64_t channels,
                         int64_t first, int64_t end, int accumulate, float *dw);
    /* Columns [first, first + columns) of the transformed weights as a packed panel of each plane.
     * forward: w[columns][3][3][depth]. backward: w[depth][3][3][channels] turned by 180 degrees,
     * columns are channels. scratch: 9 * 16 * tile_columns floats. */
    void (*pack_forward)(const float *w, int64_t depth, int64_t first, int64_t columns,
                         int64_t plane, float *packed, float *scratch);
    void (*pack_backward)(const float *w, int64_t depth, int64_t channels, int64_t first,
                          int64_t columns, int64_t plane, float *packed);
} winograd_table;

typedef struct {
    winograd_table plain, strided; /* of stride 1, of stride 2 */
} winograd_tables;

DECLARE_TABLES(winograd_tables, winograd)

#endif

/* What winograd.pyx calls: 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3). */
#ifndef FASTNN_WINOGRAD_TABLE_H
#define FASTNN_WINOGRAD_TABLE_H

#include <stdint.h>

enum { POSITIONS = 36 }; /* values of a transformed tile of 6x6 */

/* Tiles of channels-last images: tile (image, i, j) starts at pixel (4 i - top, 4 j - left). */
typedef struct {
    int64_t height, width, channels; /* of the images */
    int64_t rows, columns;           /* tiles of one image, down and across */
    int64_t top, left;
} tile_grid;

/* Transformed tiles: value `position` of channel c of tile t is at
 * data[position * plane + c / panel * tiles * panel + t * panel + c % panel]. */
typedef struct {
    int64_t tiles, panel, plane;
    float *data;
} tile_values;

/* Sums over the pixels of tiles that are written, in whole vectors of their channels. */
typedef struct {
    const float *x; /* the input of the norm, where y is the gradient of its output */
    const float *mean, *scale, *bias; /* of that norm; scale is NULL without a ReLU behind it */
    float *pivot, *sum, *product;
} tile_sums;

typedef struct {
    /* Tiles [first, first + count) of the images, to tile `at` and on of the store: of each pixel
     * the `channels` values from x or y on, which may be some of g->channels.
     * 6x6 tiles by B^T x B, of max(0, norm(x)) if normed; or 4x4 tiles by A y A^T. */
    void (*read_6x6)(const tile_grid *g, const float *x, const norm_columns *norm,
                     int64_t channels, int64_t first, int64_t count, int64_t at,
                     const tile_values *to);
    void (*read_normed_6x6)(const tile_grid *g, const float *x, const norm_columns *norm,
                            int64_t channels, int64_t first, int64_t count, int64_t at,
                            const tile_values *to);
    void (*read_4x4)(const tile_grid *g, const float *y, const norm_columns *norm,
                     int64_t channels, int64_t first, int64_t count, int64_t at,
                     const tile_values *to);
    /* The same back: 4x4 tiles of y = A^T m A + bias[channels], clipped at 0 if relu. */
    void (*write_4x4)(const tile_grid *g, const tile_values *from, int64_t channels,
                      int64_t first, int64_t count, int64_t at, const float *bias, int relu,
                      float *y);
    /* write_4x4, with pivot = the mean of each channel in the first tile, sum = sum of (y - pivot)
     * and product = sum of (y - pivot)^2; overwritten. */
    void (*write_moments)(const tile_grid *g, const tile_values *from, int64_t channels,
                          int64_t first, int64_t count, int64_t at, const float *bias, int relu,
                          float *y, const tile_sums *s);
    /* write_4x4, with sum = sum of y and product = sum of y (x - mean), without the pixels where
     * the ReLU passed nothing; overwritten. */
    void (*write_gradient)(const tile_grid *g, const tile_values *from, int64_t channels,
                           int64_t first, int64_t count, int64_t at, float *y,
                           const tile_sums *s);
    /* Columns [first, first + columns) of G w G^T as a packed panel of each position.
     * forward: w[columns][3][3][depth]. backward: w[depth][3][3][channels] turned by 180 degrees,
     * columns are channels. scratch: POSITIONS * 16 * tile_columns floats. */
    void (*pack_forward)(const float *w, int64_t depth, int64_t first, int64_t columns,
                         int64_t plane, float *packed, float *scratch);
    void (*pack_backward)(const float *w, int64_t depth, int64_t channels, int64_t first,
                          int64_t columns, int64_t plane, float *packed);
    /* m[tile][columns of panels first .. end) = v[tile][depth] packed[depth][columns], at one
     * position; v and m point to the tiles of position 0. */
    void (*product)(int64_t tiles, int64_t depth, int64_t columns, const float *const *v,
                    int64_t v_plane, const float *packed, int64_t packed_plane, float *const *m,
                    int64_t m_plane, int64_t position, int64_t first, int64_t end);
    /* sums[row][depth] (+)= sum over tiles of dy[tile][row] x[tile][depth], at one position;
     * columns: pointers for `tiles` tiles. */
    void (*outer)(const tile_values *dy, const tile_values *x, int64_t tiles, int64_t rows,
                  int64_t depth, int64_t position, float *sums, int64_t sums_plane,
                  int accumulate, const float **columns);
    /* dw[row][3][3][depth] (+)= G^T sums G for rows [first, end). */
    void (*write_weight)(const float *sums, int64_t plane, int64_t depth, int64_t first,
                         int64_t end, int accumulate, float *dw);
} winograd_table;

#endif

/* Winograd's F(4x4, 3x3): 36 products where a direct 4x4 tile of outputs takes 144.
 *
 * Points 0, +-1/sqrt(2), +-sqrt(2), infinity: as cheap as 0, +-1, +-2 and better conditioned
 * (Lavin & Gray 2016; Barabasz et al. 2020).
 */
#ifndef FASTNN_WINOGRAD_WINOGRAD_H
#define FASTNN_WINOGRAD_WINOGRAD_H

#include "winograd/simd/winograd_tiles.h"

#define ROOT_2 1.41421356237309505f
#define HALF_ROOT_2 0.70710678118654752f

/* t = B^T d: coefficients of m(x) / (x - point), m = x^5 - 2.5 x^3 + x. */
INLINE void transform_6(const vf d[6], vf t[6]) {
    const vf even = add_times(d[4], -2.0f, d[2]), odd = add_times(d[3], -2.0f, d[1]);
    const vf even_2 = add_times(d[4], -0.5f, d[2]), odd_2 = add_times(d[3], -0.5f, d[1]);
    t[0] = add_times(d[0] + d[4], -2.5f, d[2]);
    t[1] = add_times(even, HALF_ROOT_2, odd);
    t[2] = add_times(even, -HALF_ROOT_2, odd);
    t[3] = add_times(even_2, ROOT_2, odd_2);
    t[4] = add_times(even_2, -ROOT_2, odd_2);
    t[5] = add_times(d[1] + d[5], -2.5f, d[3]);
}

/* t = A y: the values of y0 + y1 x + y2 x^2 + y3 x^3 at the points. */
INLINE void transform_4(const vf y[4], vf t[6]) {
    const vf even = add_times(y[0], 0.5f, y[2]), odd = add_times(y[1], 0.5f, y[3]);
    const vf even_2 = add_times(y[0], 2.0f, y[2]), odd_2 = add_times(y[1], 2.0f, y[3]);
    t[0] = y[0];
    t[1] = add_times(even, HALF_ROOT_2, odd);
    t[2] = add_times(even, -HALF_ROOT_2, odd);
    t[3] = add_times(even_2, ROOT_2, odd_2);
    t[4] = add_times(even_2, -ROOT_2, odd_2);
    t[5] = y[3];
}

/* y = A^T m. */
INLINE void inverse_6(const vf m[6], vf y[4]) {
    const vf sum = m[1] + m[2], difference = m[1] - m[2];
    const vf sum_2 = m[3] + m[4], difference_2 = m[3] - m[4];
    y[0] = (m[0] + sum) + sum_2;
    y[1] = add_times(HALF_ROOT_2 * difference, ROOT_2, difference_2);
    y[2] = add_times(0.5f * sum, 2.0f, sum_2);
    y[3] = add_times(add_times(m[5], 0.5f * HALF_ROOT_2, difference), 2.0f * ROOT_2, difference_2);
}

/* u = G w; G has the values of w0 + w1 x + w2 x^2 at the points over m'(point). */
INLINE void transform_3(const vf w[3], vf u[6]) {
    const float by = -1.0f / 1.5f, by_2 = 1.0f / 6.0f;
    const vf even = by * add_times(w[0], 0.5f, w[2]), even_2 = by_2 * add_times(w[0], 2.0f, w[2]);
    u[0] = w[0];
    u[1] = add_times(even, by * HALF_ROOT_2, w[1]);
    u[2] = add_times(even, -by * HALF_ROOT_2, w[1]);
    u[3] = add_times(even_2, by_2 * ROOT_2, w[1]);
    u[4] = add_times(even_2, -by_2 * ROOT_2, w[1]);
    u[5] = w[2];
}

/* w = G^T s. */
INLINE void inverse_3(const vf s[6], vf w[3]) {
    const float by = -1.0f / 1.5f, by_2 = 1.0f / 6.0f;
    const vf sum = s[1] + s[2], difference = s[1] - s[2];
    const vf sum_2 = s[3] + s[4], difference_2 = s[3] - s[4];
    w[0] = add_times(add_times(s[0], by, sum), by_2, sum_2);
    w[1] = add_times((by * HALF_ROOT_2) * difference, by_2 * ROOT_2, difference_2);
    w[2] = add_times(add_times(s[5], 0.5f * by, sum), 2.0f * by_2, sum_2);
}

READ_TILES(read_tiles_6x6, 6, 4, 6, transform_6, GET_WHOLE, GET_PART, UPWARDS)
READ_TILES(read_normed_6x6, 6, 4, 6, transform_6, GET_NORMED, GET_NORMED_PART, UPWARDS)
READ_TILES(read_tiles_4x4, 4, 4, 6, transform_4, GET_WHOLE, GET_PART, DOWNWARDS)
WRITE_TILES(write_tiles, 6, 4, inverse_6)
WRITE_PLAIN(write_tiles_4x4, write_tiles)
WRITE_MOMENTS(write_tiles_moments, write_tiles)
WRITE_GRADIENT(write_tiles_gradient, write_tiles, SUM_GRADIENT)
WRITE_GRADIENT(write_tiles_shortcut, write_tiles, SUM_SHORTCUT)
PACK_FORWARD(pack_weights_forward, 6, transform_3)
PACK_BACKWARD(pack_weights_backward, 6, transform_3)
WRITE_WEIGHT(write_weight, 6, inverse_3)

static const conv_tap one_term = {0, 0, 0};

static void tile_product(const product_sizes *g, const float *const *v, const float *packed,
                         float *const *m, int64_t position, int64_t first, int64_t end) {
    add_products(g, 1, &one_term, v, g->tiles, position * g->v_plane,
                 packed + position * g->packed_plane, m, position * g->m_plane, first, end);
}

static void outer_products(const tile_values *dy, const tile_values *x, int64_t tiles,
                           int64_t rows, int64_t depth, int64_t plane, float *sums,
                           int accumulate, const float **columns) {
    add_outer(dy, plane, x, plane, tiles, rows, depth, sums, accumulate, columns);
}

#endif

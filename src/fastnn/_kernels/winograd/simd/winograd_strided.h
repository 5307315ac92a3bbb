/* Winograd for 3x3 filters of stride 2: 81 products where a direct 4x4 tile of outputs takes 144.
 *
 * Along an axis the outputs are y[i] = x[2i] w0 + x[2i + 2] w2 + x[2i + 1] w1: an F(4, 2) of every
 * second pixel, and the pixels between times one number. Points +-1/2, +-3/2, infinity; the second
 * sum takes the finite ones alone, where its B^T and A^T are those of the first. So the products of
 * both add up to one value for each point, and are transformed back together. Along both axes 81
 * values of 9x9 pixels meet 81 of the weights at 5x5 points: four at a finite point.
 */
#ifndef FASTNN_WINOGRAD_WINOGRAD_STRIDED_H
#define FASTNN_WINOGRAD_WINOGRAD_STRIDED_H

#include "winograd/simd/winograd_tiles.h"

/* t = B^T d of F(4, 2): coefficients of m(x) / (x - point), m = (x^2 - 1/4) (x^2 - 9/4); then m.
 * The first four do not read d4. */
INLINE void transform_finite(vf d0, vf d1, vf d2, vf d3, vf t[4]) {
    const vf even = add_times(d2, -2.25f, d0), odd = add_times(d3, -2.25f, d1);
    const vf even_2 = add_times(d2, -0.25f, d0), odd_2 = add_times(d3, -0.25f, d1);
    t[0] = add_times(odd, 0.5f, even);
    t[1] = add_times(odd, -0.5f, even);
    t[2] = add_times(odd_2, 1.5f, even_2);
    t[3] = add_times(odd_2, -1.5f, even_2);
}
INLINE void transform_5(const vf d[5], vf t[5]) {
    transform_finite(d[0], d[1], d[2], d[3], t);
    t[4] = add_times(add_times(d[4], 0.5625f, d[0]), -2.5f, d[2]);
}

/* Every second pixel at 5 points, those between at 4. */
INLINE void transform_9(const vf d[9], vf t[9]) {
    const vf even[5] = {d[0], d[2], d[4], d[6], d[8]};
    transform_5(even, t);
    transform_finite(d[1], d[3], d[5], d[7], t + 5);
}

/* t = A y: the values of y0 + y1 x + y2 x^2 + y3 x^3 at the points. */
INLINE void transform_4_at_5(const vf y[4], vf t[5]) {
    const vf even = add_times(y[0], 0.25f, y[2]), odd = add_times(y[1], 0.25f, y[3]);
    const vf even_2 = add_times(y[0], 2.25f, y[2]), odd_2 = add_times(y[1], 2.25f, y[3]);
    t[0] = add_times(even, 0.5f, odd);
    t[1] = add_times(even, -0.5f, odd);
    t[2] = add_times(even_2, 1.5f, odd_2);
    t[3] = add_times(even_2, -1.5f, odd_2);
    t[4] = y[3];
}

/* y = A^T m: of the finite points, with `last` at infinity. */
INLINE void inverse_finite(const vf m[4], vf last, vf y[4]) {
    const vf sum = m[0] + m[1], difference = m[0] - m[1];
    const vf sum_2 = m[2] + m[3], difference_2 = m[2] - m[3];
    y[0] = sum + sum_2;
    y[1] = add_times(0.5f * difference, 1.5f, difference_2);
    y[2] = add_times(0.25f * sum, 2.25f, sum_2);
    y[3] = add_times(add_times(last, 0.125f, difference), 3.375f, difference_2);
}
INLINE void inverse_5(const vf m[5], vf y[4]) { inverse_finite(m, m[4], y); }

/* Two rows of pixels in turn, the one of the finite points alone first. */
INLINE void inverse_9(const vf m[9], vf y[8]) {
    vf even[4], odd[4];
    inverse_5(m, even);
    inverse_finite(m + 5, (vf){0}, odd);
    UNROLL_ALL for (int i = 0; i < 4; i++) y[2 * i] = odd[i], y[2 * i + 1] = even[i];
}

/* u = G w; G has the values of w0 + w2 x, and of w1, at the points over m'(point). */
INLINE void transform_3_at_9(const vf w[3], vf u[9]) {
    const float sixth = 1.0f / 6.0f;
    const vf quarter = 0.25f * w[2];
    u[0] = add_times(-quarter, -0.5f, w[0]);
    u[1] = add_times(-quarter, 0.5f, w[0]);
    u[2] = add_times(quarter, sixth, w[0]);
    u[3] = add_times(quarter, -sixth, w[0]);
    u[4] = w[2];
    u[5] = -0.5f * w[1];
    u[6] = 0.5f * w[1];
    u[7] = sixth * w[1];
    u[8] = -sixth * w[1];
}

/* w = G^T s. */
INLINE void inverse_9_at_3(const vf s[9], vf w[3]) {
    const float sixth = 1.0f / 6.0f;
    w[0] = add_times(0.5f * (s[1] - s[0]), sixth, s[2] - s[3]);
    w[1] = add_times(0.5f * (s[6] - s[5]), sixth, s[7] - s[8]);
    w[2] = add_times(s[4], 0.25f, (s[2] + s[3]) - (s[0] + s[1]));
}

READ_TILES(read_tiles_9x9, 9, 8, 9, transform_9, GET_WHOLE, GET_PART, UPWARDS)
READ_TILES(read_normed_9x9, 9, 8, 9, transform_9, GET_NORMED, GET_NORMED_PART, UPWARDS)
READ_TILES(read_tiles_5x5, 5, 4, 5, transform_5, GET_WHOLE, GET_PART, UPWARDS)
READ_TILES(read_4x4_at_5, 4, 4, 5, transform_4_at_5, GET_WHOLE, GET_PART, DOWNWARDS)
WRITE_TILES(write_from_5x5, 5, 4, inverse_5)
WRITE_PLAIN(write_strided, write_from_5x5)
WRITE_MOMENTS(write_strided_moments, write_from_5x5)
WRITE_TILES(write_from_9x9, 9, 8, inverse_9)
WRITE_PLAIN(write_8x8, write_from_9x9)
WRITE_GRADIENT(write_8x8_gradient, write_from_9x9, SUM_GRADIENT)
WRITE_GRADIENT(write_8x8_shortcut, write_from_9x9, SUM_SHORTCUT)
PACK_FORWARD(pack_strided_forward, 9, transform_3_at_9)
PACK_BACKWARD(pack_strided_backward, 9, transform_3_at_9)
WRITE_WEIGHT(write_strided_weight, 9, inverse_9_at_3)

/* At point (i, j) of 5x5 meet values (i, j), (i, j + 5), (i + 5, j), (i + 5, j + 5) of 9x9, as far
 * as there are: 5 is none of the finite points. v has pointers to each of the four in turn. */
static const conv_tap four_terms[4] = {{0, 0, 0}, {0, 0, 5}, {0, 0, 45}, {0, 0, 50}};
static const conv_tap two_rows[2] = {{0, 0, 0}, {0, 0, 45}};

/* Where a value of 9x9 belongs. */
static int64_t point_of(int64_t plane) {
    const int64_t i = plane / 9, j = plane % 9;
    return (i < 5 ? i : i - 5) * 5 + (j < 5 ? j : j - 5);
}

static void strided_product(const product_sizes *g, const float *const *v, const float *packed,
                            float *const *m, int64_t position, int64_t first, int64_t end) {
    const int64_t i = position / 5, j = position % 5, plane = 9 * i + j;
    const int across = i == 4 || j < 4; /* else the second of two terms is the third of four */
    const int64_t terms = (i < 4 ? 2 : 1) * (j < 4 ? 2 : 1);
    add_products(g, terms, across ? four_terms : two_rows, v, across ? g->tiles : 2 * g->tiles,
                 plane * g->v_plane, packed + plane * g->packed_plane, m, position * g->m_plane,
                 first, end);
}

static void strided_product_back(const product_sizes *g, const float *const *v,
                                 const float *packed, float *const *m, int64_t plane,
                                 int64_t first, int64_t end) {
    add_products(g, 1, four_terms, v, g->tiles, point_of(plane) * g->v_plane,
                 packed + plane * g->packed_plane, m, plane * g->m_plane, first, end);
}

static void strided_outer(const tile_values *dy, const tile_values *x, int64_t tiles,
                          int64_t rows, int64_t depth, int64_t plane, float *sums,
                          int accumulate, const float **columns) {
    add_outer(dy, point_of(plane), x, plane, tiles, rows, depth, sums, accumulate, columns);
}

#endif

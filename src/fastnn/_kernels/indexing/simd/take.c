/* Rows by their places: y is a sum of a few rows of x, or one of them; and the adjoint. */
#include "indexing/simd/take.h"
#include "simd/vector.h"

enum { MOST_TAPS = 64 }; /* rows that are summed at once */

INLINE int inside(int64_t place, int64_t size) { return (uint64_t)place < (uint64_t)size; }

/* y[n] = the sum of weight[t] * tap[t][n], added to y itself if it is not the first part. */
INLINE void combine_of(int count, const float *const *tap, const float *weight, int64_t n,
                       int is_first, float *y) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) {
        vf sum[4];
        for (int i = 0; i < 4; i++) sum[i] = is_first ? (vf){0} : load(y + j + i * LANES);
        for (int t = 0; t < count; t++)
            for (int i = 0; i < 4; i++)
                sum[i] = vfma(splat(weight[t]), load(tap[t] + j + i * LANES), sum[i]);
        for (int i = 0; i < 4; i++) store(y + j + i * LANES, sum[i]);
    }
    for (; j < n; j += LANES) {
        vf sum = is_first ? (vf){0} : load_n(y + j, n - j);
        for (int t = 0; t < count; t++)
            sum = vfma(splat(weight[t]), load_n(tap[t] + j, n - j), sum);
        store_n(y + j, sum, n - j);
    }
}

/* One float of the same. */
INLINE void combine_one(int count, const float *const *tap, const float *weight, int is_first,
                        float *y) {
    float sum = is_first ? 0 : *y;
    for (int t = 0; t < count; t++) sum += weight[t] * *tap[t];
    *y = sum;
}

static void combine(int count, const float *const *tap, const float *weight, int64_t n,
                    int is_first, float *y) {
    if (n == 1) combine_one(count, tap, weight, is_first, y);
    else if (count == 2 && is_first) combine_of(2, tap, weight, n, 1, y);
    else if (count == 4 && is_first) combine_of(4, tap, weight, n, 1, y);
    else combine_of(count, tap, weight, n, is_first, y);
}

INLINE void fill_run(int64_t n, float value, float *y) {
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) store(y + j, splat(value));
    for (; j < n; j++) y[j] = value;
}

INLINE void copy_run(int64_t n, const float *x, float *y) {
    if (n >= 256) {
        memcpy(y, x, (size_t)n * sizeof(float));
        return;
    }
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) store(y + j, load(x + j));
    for (; j < n; j++) y[j] = x[j];
}

/* One tap without weights: copies, of as many neighbours at once as follow each other. */
static void copy_line(const take_shape *g, const float *x, const int64_t *index, int64_t first,
                      int64_t last, int64_t column, int64_t columns, float fill, float *y) {
    const int64_t c = g->c;
    if (c == 1) {
        for (int64_t k = first; k < last; k++) y[k] = inside(index[k], g->w) ? x[index[k]] : fill;
        return;
    }
    for (int64_t k = first, run; k < last; k += run) {
        float *to = y + k * c + column;
        run = 1;
        if (!inside(index[k], g->w)) {
            fill_run(columns, fill, to);
            continue;
        }
        if (columns == c)
            while (k + run < last && index[k + run] == index[k] + run
                   && inside(index[k + run], g->w)) run++;
        copy_run((run - 1) * c + columns, x + index[k] * c + column, to);
    }
}

static void sum_line(const take_shape *g, const float *x, const take_table *rows,
                     const take_table *places, int64_t row, int64_t first, int64_t last,
                     int64_t column, int64_t columns, float *y) {
    const float *tap[MOST_TAPS];
    float weight[MOST_TAPS];
    for (int64_t k = first; k < last; k++) {
        float *to = y + k * g->c + column;
        int count = 0, is_first = 1;
        for (int64_t a = row * g->h_taps; a < (row + 1) * g->h_taps; a++) {
            const int64_t r = rows->index ? rows->index[a] : row;
            if (!inside(r, g->h)) continue;
            const float row_weight = rows->weight ? rows->weight[a] : 1.0f;
            for (int64_t b = k * g->w_taps; b < (k + 1) * g->w_taps; b++) {
                if (!inside(places->index[b], g->w)) continue;
                if (count == MOST_TAPS) {
                    combine(count, tap, weight, columns, is_first, to);
                    count = is_first = 0;
                }
                tap[count] = x + (r * g->w + places->index[b]) * g->c + column;
                weight[count++] = places->weight ? row_weight * places->weight[b] : row_weight;
            }
        }
        combine(count, tap, weight, columns, is_first, to);
    }
}

static void take_line(const take_shape *g, const float *x, const take_table *rows,
                      const take_table *places, int64_t row, int64_t first, int64_t last,
                      int64_t column, int64_t columns, float fill, float *y) {
    if (g->h_taps > 1 || g->w_taps > 1 || rows->weight || places->weight) {
        sum_line(g, x, rows, places, row, first, last, column, columns, y);
        return;
    }
    const int64_t r = rows->index ? rows->index[row] : row;
    if (inside(r, g->h))
        copy_line(g, x + r * g->w * g->c, places->index, first, last, column, columns, fill, y);
    else
        for (int64_t k = first; k < last; k++) fill_run(columns, fill, y + k * g->c + column);
}

static void scatter(int64_t n, int64_t taps, const int64_t *index, const float *weight,
                    int64_t first, int64_t last, int64_t skip, int64_t columns, int64_t stride,
                    const float *dy, float *dx) {
    for (int64_t k = 0; k < n; k++)
        for (int64_t t = k * taps; t < (k + 1) * taps; t++) {
            const int64_t place = index[t];
            if (place < first || place >= last || place == skip) continue;
            const float *from = dy + k * stride;
            float *to = dx + place * stride;
            const float scale = weight ? weight[t] : 1.0f;
            int64_t j = 0;
            for (; j + LANES <= columns; j += LANES)
                store(to + j, vfma(splat(scale), load(from + j), load(to + j)));
            for (; j < columns; j++) to[j] += scale * from[j];
        }
}

const take_functions TABLE(take) = {take_line, scatter};

/* The largest or the least of values, and the place of the first one. A NaN is beyond all others. */
#ifndef FASTNN_ARRAYS_EXTREME_H
#define FASTNN_ARRAYS_EXTREME_H

#include "simd/sizes.h"
#include "simd/vector.h"

enum { WAYS = 4 }; /* vectors at once: a comparison waits for the one before */

/* Where v replaces the best so far: "not best >= v" is true for a NaN in v, too. */
INLINE vi replaces(vf v, vf best, int largest) {
    return ~(largest ? best >= v : best <= v) & (best == best);
}
INLINE int replaces_one(float v, float best, int largest) {
    return !(largest ? best >= v : best <= v) && best == best;
}

/* values[j], places[j] of n columns in `vectors` vectors, of which only a single one may be part;
 * places count from `first`. rows is 1 to 2^30. */
INLINE void extreme_columns(int64_t rows, int64_t n, const float *x, int64_t x_row, int largest,
                            float *values, int64_t *places, int64_t first, int vectors) {
    vf best[WAYS];
    vi place[WAYS];
    const int64_t part = vectors > 1 ? LANES : n;
    for (int k = 0; k < vectors; k++) {
        best[k] = load_n(x + k * LANES, part);
        place[k] = (vi){0};
    }
    for (int64_t i = 1; i < rows; i++) {
        x += x_row;
        for (int k = 0; k < vectors; k++) {
            const vf v = load_n(x + k * LANES, part);
            const vi take = replaces(v, best[k], largest);
            best[k] = where(take, v, best[k]);
            place[k] = (take & (int32_t)i) | (~take & place[k]);
        }
    }
    for (int k = 0; k < vectors; k++) {
        store_n(values + k * LANES, best[k], part);
        for (int64_t j = 0; j < part; j++) places[k * LANES + j] = first + place[k][j];
    }
}

INLINE void extreme_over(int64_t rows, int64_t columns, const float *x, int64_t x_row, int largest,
                         float *values, int64_t *places, int64_t first) {
    int64_t j = 0;
    for (; j + WAYS * LANES <= columns; j += WAYS * LANES)
        extreme_columns(rows, LANES, x + j, x_row, largest, values + j, places + j, first, WAYS);
    for (; j < columns; j += LANES)
        extreme_columns(rows, smaller(columns - j, LANES), x + j, x_row, largest, values + j,
                        places + j, first, 1);
}

static void extreme_rows(int64_t rows, int64_t columns, const float *x, int64_t x_row, int largest,
                         float *values, int64_t *places, int64_t first) {
    if (largest) extreme_over(rows, columns, x, x_row, 1, values, places, first);
    else extreme_over(rows, columns, x, x_row, 0, values, places, first);
}

/* Of several lanes' best, the first in the run. */
INLINE float first_of_lanes(const vf *best, const vi *turn, int largest, int64_t *place) {
    float value = best[0][0];
    *place = (int64_t)turn[0][0] * WAYS * LANES;
    for (int k = 0; k < WAYS; k++)
        for (int lane = 0; lane < LANES; lane++) {
            const float v = best[k][lane];
            const int64_t at = ((int64_t)turn[k][lane] * WAYS + k) * LANES + lane;
            const int same = v == value || (v != v && value != value);
            if (replaces_one(v, value, largest) || (same && at < *place)) {
                value = v;
                *place = at;
            }
        }
    return value;
}

INLINE float extreme_of(int64_t n, const float *x, int largest, int64_t *place) {
    const int64_t turns = n / (WAYS * LANES);
    int64_t i = turns * WAYS * LANES;
    float value = x[0];
    *place = 0;
    if (turns) {
        vf best[WAYS];
        vi turn[WAYS];
        for (int k = 0; k < WAYS; k++) {
            best[k] = load(x + k * LANES);
            turn[k] = (vi){0};
        }
        for (int64_t t = 1; t < turns; t++)
            for (int k = 0; k < WAYS; k++) {
                const vf v = load(x + (t * WAYS + k) * LANES);
                const vi take = replaces(v, best[k], largest);
                best[k] = where(take, v, best[k]);
                turn[k] = (take & (int32_t)t) | (~take & turn[k]);
            }
        value = first_of_lanes(best, turn, largest, place);
    }
    for (; i < n; i++)
        if (replaces_one(x[i], value, largest)) {
            value = x[i];
            *place = i;
        }
    return value;
}

/* The extreme of x[n], 1 <= n, and its place. */
static float extreme_run(int64_t n, const float *x, int largest, int64_t *place) {
    return largest ? extreme_of(n, x, 1, place) : extreme_of(n, x, 0, place);
}

#endif

/* Pointwise functions of two tensors: the table of BINARY rows, and the loops made from it.
 *
 * A row: name, formula for people, the value of vectors a and b.
 * A new operation is one row here and one case in tests/cases/pointwise.py.
 */
#ifndef FASTNN_POINTWISE_BINARY_H
#define FASTNN_POINTWISE_BINARY_H

#include <math.h>
#include "simd/elementary.h"

/* Logarithms of probabilities, at least -100: log(x) and log(1 - x). */
INLINE vf log_chance(vf x) { return vmax(splat(-100.0f), vlog(x)); }
INLINE vf log_other(vf x) {
    vf near = log_sum(-x, (vf){0});
    return vmax(splat(-100.0f), where(vabs(x) < 0.25f, near, vlog(1.0f - x)));
}

/* The largest whole number up to a / b as it is before rounding: 1 / 0.1 is below 10. */
INLINE float floor_of_quotient(float a, float b) {
    if (b == 0.0f) return a / b;
    const double rest = fmod(a, b), whole = (a - rest) / b;
    return (float)rint(rest != 0 && (rest < 0) != (b < 0) ? whole - 1.0 : whole);
}

/* For functions that no training step spends its time in. */
INLINE vf by_lane(float (*function)(float, float), vf a, vf b) {
    vf y;
    for (int i = 0; i < LANES; i++) y[i] = function(a[i], b[i]);
    return y;
}

#define BINARY(ROW)                                                                               \
    ROW(add, "a + b", a + b)                                                                      \
    ROW(sub, "a - b", a - b)                                                                      \
    ROW(mul, "a * b", a * b)                                                                      \
    ROW(div, "a / b", a / b)                                                                      \
    ROW(maximum, "max(a, b)", where(a != a, a, vmax(a, b)))                                       \
    ROW(minimum, "min(a, b)", where(a != a, a, vmin(a, b)))                                       \
    ROW(ge, "1 where a >= b, else 0", where(a >= b, one, zero))                                   \
    ROW(gt, "1 where a > b, else 0", where(a > b, one, zero))                                        \
    ROW(eq, "1 where a == b, else 0", where(a == b, one, zero))                                   \
    ROW(ne, "1 where a != b, else 0", where(a != b, one, zero))                                   \
    ROW(clamp_min, "max(a, b)", where(a != a, a, vmax(a, b)))                                     \
    ROW(clamp_max, "min(a, b)", where(a != a, a, vmin(a, b)))                                     \
    ROW(share, "1 where a > b, 1/2 where equal, else 0",                                          \
        where(a == b, splat(0.5f), where(a < b, zero, one)))                                      \
    ROW(keep, "a where b is not 0, else 0", where(b != zero, a, zero))                            \
    ROW(drop, "a where b is 0, else 0", where(b == zero, a, zero))                                \
    ROW(pow, "a ** b", by_lane(powf, a, b))                                                       \
    ROW(floor_div, "floor(a / b)", by_lane(floor_of_quotient, a, b))                              \
    ROW(bce, "-b log(a) - (1 - b) log(1 - a)",                                                    \
        (b - one) * log_other(a) - b * log_chance(a))                                             \
    ROW(bce_logits, "log(1 + exp(a)) - a b",                                                      \
        vsoftplus(-vabs(a)) + where(a > zero, (one - b) * a, -b * a))

/* x[0], x[step], ..., n of them; a step of 0 repeats one. */
INLINE vf load_steps(const float *x, int64_t step, int64_t n) {
    vf v = {0};
    for (int i = 0; i < n; i++) v[i] = x[i * step];
    return v;
}

#define DEFINE_BINARY(name, formula, value)                                                       \
    INLINE vf name##_of(vf a, vf b) {                                                             \
        const vf zero = {0}, one = splat(1.0f);                                                   \
        (void)zero, (void)one;                                                                    \
        return value;                                                                             \
    }                                                                                             \
    INLINE void name##_run_(int64_t n, const float *a, int64_t a_step, const float *b,             \
                           int64_t b_step, float *y) {                                            \
        const vf a0 = splat(*a), b0 = splat(*b);                                                  \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES)                                                        \
            store(y + i, name##_of(a_step ? load(a + i) : a0, b_step ? load(b + i) : b0));        \
        if (i < n)                                                                                \
            store_head(y + i,                                                                     \
                       name##_of(a_step ? load_head(a + i, n - i) : a0,                           \
                                 b_step ? load_head(b + i, n - i) : b0), n - i);                  \
    }                                                                                             \
    static void name##_binary(int64_t rows, int64_t n, const float *a, int64_t a_row,             \
                              int64_t a_step, const float *b, int64_t b_row, int64_t b_step,      \
                              float *y) {                                                         \
        if (n <= 0) return;                                                                       \
        for (int64_t r = 0; r < rows; r++, a += a_row, b += b_row, y += n) {                      \
            if (a_step == 1 && b_step == 1) name##_run_(n, a, 1, b, 1, y);                         \
            else if (a_step == 1 && b_step == 0) name##_run_(n, a, 1, b, 0, y);                    \
            else if (a_step == 0 && b_step == 1) name##_run_(n, a, 0, b, 1, y);                    \
            else                                                                                  \
                for (int64_t i = 0; i < n; i += LANES) {                                          \
                    int64_t k = n - i < LANES ? n - i : LANES;                                    \
                    store_head(y + i, name##_of(load_steps(a + i * a_step, a_step, k),            \
                                                load_steps(b + i * b_step, b_step, k)), k);       \
                }                                                                                 \
        }                                                                                         \
    }
BINARY(DEFINE_BINARY)

#define BINARY_ROW(name, formula, value) {#name, formula, name##_binary},

static void add_run(int64_t n, const float *a, const float *b, float *y) {
    add_run_(n, a, 1, b, 1, y);
}

static void fill_run(int64_t n, float value, float *y) {
    const vf v = splat(value);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, v);
    if (i < n) store_head(y + i, v, n - i);
}

#endif

/* x ** exponent for any exponent: exp(exponent * log(x)) in double, half a vector at a time. */
#ifndef FASTNN_POWER_H
#define FASTNN_POWER_H

#include "simd/elementary.h"

typedef double vd __attribute__((vector_size(LANES * 4)));
typedef float vf_half __attribute__((vector_size(LANES * 2)));
typedef int64_t vi_wide __attribute__((vector_size(LANES * 4)));

INLINE vd choose(vi_wide mask, vd a, vd b) {
    return (vd)((mask & (vi_wide)a) | (~mask & (vi_wide)b));
}

/* (2^n (1 + f))^exponent, rounded once, for f in [sqrt(1/2) - 1, sqrt(2) - 1]. */
INLINE vf_half power_half(vf_half f_, vf_half n_, double exponent) {
    const vd f = __builtin_convertvector(f_, vd), n = __builtin_convertvector(n_, vd);
    /* log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + s^5 / 5 ...), |s| < 0.172: to 2^-39 */
    const vd s = f / (f + 2.0), q = s * s;
    const vd series = ((((((1.0 / 13 + (vd){0}) * q + 1.0 / 11) * q + 1.0 / 9) * q + 1.0 / 7) * q +
                        1.0 / 5) * q + 1.0 / 3) * q + 1.0;
    vd t = exponent * (n * 0.69314718055994531 + 2.0 * s * series);
    t = choose(t < -110.0, (vd){0} - 110.0, t); /* 0 and infinity as floats */
    t = choose(t > 90.0, (vd){0} + 90.0, t);
    /* 2^k exp(r), k a whole number: the digits of 1.5 * 2^52 + k end in it */
    const vd shifted = t * 1.4426950408889634 + 6755399441055744.0;
    const vd r = t - (shifted - 6755399441055744.0) * 0.69314718055994531;
    vd p = r * (1.0 / 3628800) + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = (p * r + 1.0) * r + 1.0;
    return __builtin_convertvector((vd)((vu64)p + ((vu64)shifted << 52)), vf_half);
}

/* |x| ** exponent for a finite exponent. */
INLINE vf power_of_size(vf size, double exponent) {
    vf n, f = log_parts(size, &n), y;
    vf_half half[2], power[2], of[2];
    memcpy(half, &f, sizeof f);
    memcpy(power, &n, sizeof n);
    for (int i = 0; i < 2; i++) of[i] = power_half(half[i], power[i], exponent);
    memcpy(&y, of, sizeof y);
    const vf zero = {0}, infinity = splat(INFINITY);
    y = where(size == zero, exponent > 0 ? zero : infinity, y);
    y = where(size == infinity, exponent > 0 ? infinity : zero, y);
    return where(size == size, y, size);
}

INLINE vf vpower(vf x, double exponent) {
    if (exponent == 0.0) return splat(1.0f);
    if (exponent == 1.0) return x;
    if (exponent == 2.0) return x * x;
    if (exponent == 3.0) return x * x * x;
    if (exponent == -1.0) return 1.0f / x;
    if (!(exponent > -1e9 && exponent < 1e9)) {
        for (int i = 0; i < LANES; i++) x[i] = powf(x[i], (float)exponent);
        return x;
    }
    const int64_t below = (int64_t)exponent;
    const vf y = power_of_size(vabs(x), exponent);
    if ((double)below != exponent) return where((x < 0.0f) & (x > -INFINITY), splat(NAN), y);
    return below % 2 ? (vf)((vi)y | ((vi)x & INT32_MIN)) : y;
}
INLINE vf vpower_slope(vf x, double exponent) {
    if (exponent == 0.0) return (vf){0};
    return (float)exponent * vpower(x, exponent - 1.0);
}

#endif

/* sin and cos of any float: x less a whole number of pi / 2, in double, then polynomials. */
#ifndef FASTNN_TRIGONOMETRIC_H
#define FASTNN_TRIGONOMETRIC_H

#include "pointwise/simd/power.h"

typedef int32_t vi_half __attribute__((vector_size(LANES * 2)));

/* pi / 2 in two parts: the first has 25 bits, so that a whole number below 2^28 times it is exact
 * as a double. Beyond the bound, and for NaN and infinities, libm computes. */
#define HALF_PI_HIGH 1.57079631090164184570
#define HALF_PI_LOW 1.58932547735281966916e-08
#define REDUCED 1e8f

/* k = round(x / (pi / 2)), modulo 2^32, and x - k pi / 2, for |x| < REDUCED. */
INLINE vf_half reduce_half(vf_half x_, vi_half *quarter) {
    const vd x = __builtin_convertvector(x_, vd), round = 6755399441055744.0 + (vd){0};
    const vd k = (x * 0.63661977236758134 + round) - round; /* 1.5 * 2^52 leaves no fraction */
    *quarter = __builtin_convertvector(k, vi_half);
    return __builtin_convertvector((x - k * HALF_PI_HIGH) - k * HALF_PI_LOW, vf_half);
}

/* sin(x + shift pi / 2) for a shift of 0 or 1. */
INLINE vf sine_of(vf x, int32_t shift) {
    vf part = where(vabs(x) < REDUCED, x, (vf){0}), r;
    vf_half half[2], rest[2];
    vi_half turn[2];
    vi quarter;
    memcpy(half, &part, sizeof part);
    for (int i = 0; i < 2; i++) rest[i] = reduce_half(half[i], &turn[i]);
    memcpy(&r, rest, sizeof r);
    memcpy(&quarter, turn, sizeof quarter);
    quarter += shift;
    vf q = r * r;
    vf sine = POLYNOMIAL(q, 2.562385e-06f, -0.00019818511f, 0.008333245f, -0.16666666f);
    vf cosine = POLYNOMIAL(q, 2.4524246e-05f, -0.0013888231f, 0.041666668f);
    sine = vfma(r * q, sine, r);
    cosine = vfma(q * q, cosine, vfma(q, splat(-0.5f), splat(1.0f)));
    vf y = where((quarter & 1) != 0, cosine, sine);
    return (vf)((vu)y ^ (((vu)quarter & 2) << 30));
}

#define WITH_LIBM(name, shift, function)                                                          \
    INLINE vf name(vf x) {                                                                        \
        vf y = sine_of(x, shift);                                                                 \
        for (int i = 0; i < LANES; i++)                                                           \
            if (!(x[i] > -REDUCED && x[i] < REDUCED)) y[i] = function(x[i]);                      \
        return y;                                                                                 \
    }
WITH_LIBM(vsin, 0, sinf)
WITH_LIBM(vcos, 1, cosf)
#undef WITH_LIBM

#endif

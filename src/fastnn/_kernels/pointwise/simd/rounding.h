/* Whole numbers near x; floats of 2^23 and more are whole, and NaN passes. */
#ifndef FASTNN_ROUNDING_H
#define FASTNN_ROUNDING_H

#include "simd/elementary.h"

#define HAS_FRACTION 8388608.0f /* 2^23: floats below may have one */

/* y with the sign of x: -0.5 is rounded to -0. */
INLINE vf with_sign(vf y, vf x) { return (vf)(((vi)x & INT32_MIN) | ((vi)y & 0x7fffffff)); }

INLINE vf vtrunc(vf x) {
    vi small = vabs(x) < HAS_FRACTION;
    vf part = where(small, x, (vf){0});
    vf whole = __builtin_convertvector(__builtin_convertvector(part, vi), vf);
    return where(small, with_sign(whole, x), x);
}
INLINE vf vfloor(vf x) {
    vf whole = vtrunc(x);
    return where(whole > x, whole - 1.0f, whole);
}
INLINE vf vceil(vf x) {
    vf whole = vtrunc(x);
    return where(whole < x, with_sign(whole + 1.0f, x), whole);
}
/* Halves go to the even neighbour: adding 2^23 leaves no bits of a fraction. */
INLINE vf vround(vf x) {
    vf whole = (vabs(x) + HAS_FRACTION) - HAS_FRACTION;
    return where(vabs(x) < HAS_FRACTION, with_sign(whole, x), x);
}

#endif

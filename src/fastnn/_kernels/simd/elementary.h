/* Elementary functions of a vector: within 2 to 4 units in the last place, and the same bits in
 * every lane. NaN passes, infinities and denormals give what the formula's limit says.
 *
 * Coefficients come from tools/fit_elementary.py: minimax polynomials, highest power first.
 */
#ifndef FASTNN_ELEMENTARY_H
#define FASTNN_ELEMENTARY_H

#include <math.h>
#include "simd/vector.h"

#define POLYNOMIAL(x, ...)                                                                        \
    polynomial(x, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / 4)

INLINE vf polynomial(vf x, const float *coefficient, int count) {
    vf y = splat(coefficient[0]);
    for (int k = 1; k < count; k++) y = vfma(y, x, splat(coefficient[k]));
    return y;
}

INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }
INLINE vf clamp(float low, float high, vf x) { return vmin(splat(high), vmax(splat(low), x)); }

/* log(2) in two parts: the first has 10 bits, so that a whole number times it is exact. */
#define LOG2_HIGH 0.693359375f
#define LOG2_LOW -2.12194440e-4f

/* n = round(x / log 2) and x - n log 2, for |x| < 2^20. */
INLINE vi whole_powers(vf x, vf *rest) {
    const vf round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves no bits of a fraction */
    vf shifted = vfma(x, splat(1.44269504f), round), n = shifted - round;
    *rest = vfma(n, splat(-LOG2_LOW), vfma(n, splat(-LOG2_HIGH), x));
    return (vi)shifted - (vi)round;
}

INLINE vf power_of_two(vi n) { return (vf)((vu)(n + 127) << 23); }

/* 2^n exp(r), |r| <= log(2) / 2. In two steps: 2^n alone is no float near either end. */
INLINE vf exp_parts(vi n, vf r) {
    vi half = n >> 1;
    vf p = POLYNOMIAL(r, 0.0013841954f, 0.008368152f, 0.04166776f, 0.16666527f, 0.49999997f);
    p = vfma(r * r, p, r) + 1.0f;
    return p * power_of_two(half) * power_of_two(n - half);
}
INLINE vf vexp(vf x) {
    vf r;
    vi n = whole_powers(clamp(-104.0f, 89.0f, x), &r);
    return exp_parts(n, r);
}
/* exp(x + low), |low| < 0.01: for an x that was rounded. */
INLINE vf exp_sum(vf x, vf low) {
    vf r;
    vi n = whole_powers(clamp(-104.0f, 89.0f, x), &r);
    return exp_parts(n, r + low);
}

/* exp(x) - 1 for x <= 0. */
INLINE vf expm1_negative(vf x) {
    vf r;
    vf scale = power_of_two(whole_powers(clamp(-20.0f, 0.0f, x), &r));
    vf p = POLYNOMIAL(r, 0.0013838859f, 0.008365576f, 0.04166806f, 0.16666554f, 0.49999994f);
    p = vfma(r * r, p, r);
    return where(x > -1e-30f, x, vfma(scale, p, scale - 1.0f));
}

/* exp(x) - 1, in two steps as exp. */
INLINE vf vexpm1(vf x) {
    vf r;
    vi n = whole_powers(clamp(-20.0f, 89.0f, x), &r), half = n >> 1;
    vf first = power_of_two(half), second = power_of_two(n - half);
    vf p = POLYNOMIAL(r, 0.0013838859f, 0.008365576f, 0.04166806f, 0.16666554f, 0.49999994f);
    p = vfma(r * r, p, r);
    return where(vabs(x) < 1e-30f, x, first * vfma(second, p, second - power_of_two(-half)));
}

/* 2^x. */
INLINE vf vexp2(vf x) {
    const vf round = splat(12582912.0f); /* as in whole_powers */
    vf bounded = clamp(-151.0f, 129.0f, x), shifted = bounded + round;
    return exp_parts((vi)shifted - (vi)round, (bounded - (shifted - round)) * 0.693147181f);
}

/* log(1 + f) + n log 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1]. */
INLINE vf log_sum(vf f, vf n) {
    vf square = f * f;
    vf p = POLYNOMIAL(f, -0.07526802f, 0.12672015f, -0.13165537f, 0.1421855f, -0.16624281f,
                      0.20000193f, -0.25000772f, 0.33333352f);
    vf low = vfma(n, splat(LOG2_LOW), f * square * p);
    return vfma(n, splat(LOG2_HIGH), f + vfma(square, splat(-0.5f), low));
}

/* Denormals count as 0 in arithmetic, but their bits are a whole number of 2^-149. These compare
 * bits, so that log and sqrt, whose results are no denormals, are right for them too. */
INLINE vi is_denormal(vf x) { return ((vi)x & 0x7fffffff) < 0x00800000; } /* 0 included */
INLINE vi below_zero(vf x) { return ((vi)x < 0) & ((vi)x != INT32_MIN); }
INLINE vf whole_of_denormal(vf x) { return __builtin_convertvector((vi)x, vf); }

/* x = 2^n (1 + f) as log_sum wants it: f; of a finite x > 0. */
INLINE vf log_parts(vf x, vf *n) {
    vi denormal = is_denormal(x);
    /* less the bits of sqrt(1/2), which wraps for a negative x */
    vi bits = (vi)((vu)where(denormal, whole_of_denormal(x), x) - 0x3f3504f3u);
    *n = __builtin_convertvector((bits >> 23) - (denormal & 149), vf);
    return (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
}

/* y where a logarithm of x is finite, else its limit, or NaN below 0. */
INLINE vf log_limits(vf x, vf y) {
    const vf infinity = splat(INFINITY);
    vf limit = where(((vi)x & 0x7fffffff) == 0, -infinity, where(below_zero(x), splat(NAN), x));
    return where(((vi)x > 0) & ((vi)x < (vi)infinity), y, limit);
}
INLINE vf vlog(vf x) {
    vf n, f = log_parts(x, &n);
    return log_limits(x, log_sum(f, n));
}
INLINE vf vlog2(vf x) {
    vf n, f = log_parts(x, &n);
    return log_limits(x, vfma(log_sum(f, (vf){0}), splat(1.44269504f), n));
}
INLINE vf vlog10(vf x) { return vlog(x) * 0.434294482f; }

/* log(1 + x): of 1 + x as it was rounded, and what the rounding lost. */
INLINE vf vlog1p(vf x) {
    const vf one = splat(1.0f);
    vf u = 1.0f + x, n, f = log_parts(u, &n);
    vf lost = where(x > one, 1.0f - (u - x), x - (u - 1.0f)) / u;
    vi near = (x > -0.29f) & (x < 0.41f), finite = (x > -1.0f) & (x < INFINITY);
    vf y = log_sum(where(near, x, f), where(near, (vf){0}, n));
    y = where(near, y, y + lost);
    vf limit = where(x == -1.0f, splat(-INFINITY), where(x < -1.0f, splat(NAN), x));
    return where(finite & (x != 0.0f), y, limit);
}

/* sqrt(m 2^-149) = sqrt(2 m) 2^-75 */
INLINE vf vroot(vf x) {
    vf small = vsqrt(2.0f * whole_of_denormal(x)) * 2.64697796e-23f;
    return where(below_zero(x), splat(NAN), where(is_denormal(x) & ((vi)x > 0), small, vsqrt(x)));
}

/* log(1 + exp(x)). */
INLINE vf vsoftplus(vf x) {
    vf e = vexp(-vabs(x));
    vi large = e > 0.41421354f; /* then log(1 + e) = log(1 + (e - 1) / 2) + log 2 */
    vf tail = log_sum(where(large, 0.5f * (e - 1.0f), e), where(large, splat(1.0f), (vf){0}));
    return vmax((vf){0}, x) + tail;
}

/* sigmoid(x) and 1 - sigmoid(x), neither by a difference. */
INLINE vf sigmoid_pair(vf x, vf *other) {
    vf e = vexp(-vabs(x)), near = 1.0f / (1.0f + e), far = e * near;
    *other = where(x < 0.0f, near, far);
    return where(x < 0.0f, far, near);
}
INLINE vf vsigmoid(vf x) {
    vf e = vexp(-vabs(x));
    return where(x < 0.0f, e, splat(1.0f)) / (1.0f + e);
}

INLINE vf vsilu(vf x) { return vmax(splat(-1000.0f), x) * vsigmoid(x); }
INLINE vf vsilu_slope(vf x) {
    vf other, gate = sigmoid_pair(x, &other);
    return gate * vfma(clamp(-200.0f, 200.0f, x), other, splat(1.0f));
}

INLINE vf vtanh(vf x) {
    vf q = expm1_negative(-2.0f * vabs(x));
    return (vf)(((vi)x & INT32_MIN) | (vi)vabs(q / (q + 2.0f)));
}

/* exp(-scale * x^2), scale a power of two: x^2 as the square of x's leading bits and the rest. */
INLINE vf gaussian(vf x, float scale) {
    vf lead = (vf)((vi)x & (int32_t)0xfffff000);
    return exp_sum(-scale * lead * lead, -scale * (x - lead) * (x + lead));
}

/* The normal distribution below -t, for t >= 0; bell = exp(-t^2 / 2). */
INLINE vf normal_tail(vf t, vf bell) {
    vf u = 1.0f / vfma(t, splat(0.35f), splat(1.0f));
    vf p = POLYNOMIAL(u - 0.5f, -0.030186791f, 0.028164215f, 0.04427434f, -0.05629972f,
                      -0.08173491f, 0.08188043f, 0.28439522f, 0.34299147f, 0.25324428f);
    return bell * u * p;
}

INLINE vf vgelu(vf x) {
    vf t = vmin(splat(14.5f), vabs(x)), tail = normal_tail(t, gaussian(t, 0.5f));
    return vmax(splat(-14.5f), x) * where(x < 0.0f, tail, 1.0f - tail);
}
INLINE vf vgelu_slope(vf x) {
    vf t = vmin(splat(14.5f), vabs(x)), bell = gaussian(t, 0.5f), tail = normal_tail(t, bell);
    vf below = tail - t * (bell * 0.39894228f);
    return where(x < 0.0f, below, 1.0f - below);
}

INLINE vf gelu_tanh_inner(vf x) { /* 2 sqrt(2 / pi) (x + 0.044715 x^3) */
    return 1.59576912f * x * vfma(x * x, splat(0.044715f), splat(1.0f));
}
INLINE vf vgelu_tanh(vf x) {
    return vmax(splat(-1000.0f), x) * vsigmoid(gelu_tanh_inner(x));
}
INLINE vf vgelu_tanh_slope(vf x) {
    vf z = clamp(-20.0f, 20.0f, x), other, gate = sigmoid_pair(gelu_tanh_inner(z), &other);
    vf slope = 1.59576912f * vfma(z * z, splat(0.134145f), splat(1.0f));
    return gate * vfma(z * other, slope, splat(1.0f));
}

INLINE vf verf(vf x) {
    vf t = vmin(splat(14.5f), 1.41421356f * vabs(x));
    vf far = 1.0f - 2.0f * normal_tail(t, gaussian(t, 0.5f));
    vf near = POLYNOMIAL(x * x, 6.963559e-05f, -0.00077437016f, 0.0051588067f, -0.026839102f,
                         0.11283271f, -0.37612605f, 0.12837917f);
    vf signed_far = (vf)(((vi)x & INT32_MIN) | ((vi)far & 0x7fffffff));
    return where(vabs(x) < 1.0f, vfma(x, near, x), signed_far);
}

#endif

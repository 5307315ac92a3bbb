/* Elementary functions of a vector, the same bits in every lane. First version: libm per lane. */
#ifndef FASTNN_ELEMENTARY_H
#define FASTNN_ELEMENTARY_H

#include <math.h>
#include "vector.h"

INLINE vf each(vf x, float (*f)(float)) {
    for (int i = 0; i < LANES; i++) x[i] = f(x[i]);
    return x;
}
INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }
INLINE vf vexp(vf x) { return each(x, expf); }
INLINE vf vexpm1(vf x) { return each(x, expm1f); }
INLINE vf vlog(vf x) { return each(x, logf); }
INLINE vf vtanh(vf x) { return each(x, tanhf); }
INLINE vf verf(vf x) { return each(x, erff); }
INLINE vf vsigmoid(vf x) { return 1.0f / (1.0f + vexp(-x)); }
INLINE vf vgelu(vf x) { return 0.5f * x * (1.0f + verf(x * 0.70710678f)); }
INLINE vf vgelu_slope(vf x) {
    return 0.5f * (1.0f + verf(x * 0.70710678f)) + x * 0.39894228f * vexp(-0.5f * x * x);
}
INLINE vf vgelu_tanh(vf x) {
    return x * vsigmoid(1.5957691f * (x + 0.044715f * x * x * x));
}
INLINE vf vgelu_tanh_slope(vf x) {
    vf gate = vsigmoid(1.5957691f * (x + 0.044715f * x * x * x));
    return gate + x * gate * (1.0f - gate) * 1.5957691f * (1.0f + 0.134145f * x * x);
}
INLINE vf vpower(vf x, double exponent) {
    for (int i = 0; i < LANES; i++) x[i] = powf(x[i], (float)exponent);
    return x;
}
INLINE vf vsoftplus(vf x) {
    vf tail = vexp(-vabs(x));
    return vmax((vf){0}, x) + each(tail, log1pf);
}

#endif

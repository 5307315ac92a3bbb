/* Activation functions that are more than a line of the table. */
#ifndef FASTNN_ACTIVATIONS_H
#define FASTNN_ACTIVATIONS_H

#include "simd/elementary.h"

#define SELU_SCALE 1.05070098f
#define SELU_BELOW 1.75809934f /* scale * alpha */

/* x tanh(log(1 + exp(x))). With e = exp(-|x|), the tanh is (e^2 + 2e) / (e^2 + 2e + 2) below 0 and
 * (1 + 2e) / (1 + 2e + 2e^2) above: no difference, and no overflow. */
INLINE vf mish_parts(vf x, vf *e, vf *below) {
    *e = vexp(-vabs(x));
    vf top = where(x < 0.0f, *e * (*e + 2.0f), vfma(*e, splat(2.0f), splat(1.0f)));
    *below = top + where(x < 0.0f, splat(2.0f), 2.0f * *e * *e);
    return top / *below;
}
INLINE vf vmish(vf x) {
    vf e, below, gate = mish_parts(x, &e, &below);
    return vmax(splat(-1000.0f), x) * gate;
}
INLINE vf vmish_slope(vf x) {
    vf e, below, gate = mish_parts(x, &e, &below);
    vf bend = 4.0f * (1.0f + e) * where(x < 0.0f, e, e * e) / (below * below);
    return vfma(clamp(-200.0f, 200.0f, x), bend, gate);
}

/* x / (1 + |x|): 1 or -1 where |x| is so large that its quotient would be no number. */
INLINE vf vsoftsign(vf x) {
    vf limit = (vf)(((vi)x & INT32_MIN) | (vi)splat(1.0f));
    return where(vabs(x) > 1e30f, limit, x / (1.0f + vabs(x)));
}

/* x - tanh(x), by its series where that difference would lose digits. */
INLINE vf vtanhshrink(vf x) {
    vf q = x * x;
    vf near = POLYNOMIAL(q, 0.00041599406f, -0.002497796f, 0.008206427f, -0.021654662f,
                         0.053933807f, -0.13333124f, 0.3333333f);
    return where(vabs(x) < 1.0f, x * q * near, x - vtanh(x));
}

INLINE vf relu6_of(vf x) { return clamp(0.0f, 6.0f, x); }

#endif

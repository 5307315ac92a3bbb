/* Pointwise functions of one tensor: the table of POINTWISE rows, and the loops made from it.
 *
 * A row: name, formula for people, arguments with defaults, what the gradient reads (X or Y),
 * the value of x, and the gradient from dy and x or y. s[0], s[1] are the arguments, in order.
 * A new operation is one row here and one case in tests/cases/pointwise.py.
 */
#include "pointwise/simd/activations.h"
#include "pointwise/simd/power.h"
#include "pointwise/simd/rounding.h"
#include "pointwise/simd/trigonometric.h"
#include "simd/elementary.h"

#define POINTWISE(ROW)                                                                            \
    ROW(relu, "max(0, x)", "", Y, vmax(zero, x), where(y > zero, dy, zero))                      \
    ROW(leaky_relu, "x if x > 0 else negative_slope * x", "negative_slope=0.01", X,               \
        where(x > zero, x, x * S(0)), where(x > zero, dy, dy * S(0)))                            \
    ROW(elu, "x if x > 0 else alpha * (exp(x) - 1)", "alpha=1.0", X,                              \
        where(x > zero, x, S(0) * expm1_negative(x)),                                         \
        where(x > zero, dy, dy * S(0) * vexp(x)))                                                 \
    ROW(silu, "x * sigmoid(x)", "", X, vsilu(x), dy * vsilu_slope(x))                             \
    ROW(gelu, "x / 2 * (1 + erf(x / sqrt(2)))", "", X, vgelu(x), dy * vgelu_slope(x))             \
    ROW(gelu_tanh, "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))", "", X,             \
        vgelu_tanh(x), dy * vgelu_tanh_slope(x))                                                  \
    ROW(sigmoid, "1 / (1 + exp(-x))", "", Y, vsigmoid(x), dy * y * (one - y))                     \
    ROW(tanh, "tanh(x)", "", Y, vtanh(x), dy * (one - y * y))                                     \
    ROW(exp, "exp(x)", "", Y, vexp(x), dy * y)                                                    \
    ROW(log, "log(x)", "", X, vlog(x), dy / x)                                                    \
    ROW(sqrt, "sqrt(x)", "", Y, vroot(x), dy / (y + y))                                           \
    ROW(square, "x * x", "", X, x * x, dy * (x + x))                                              \
    ROW(abs, "abs(x)", "", X, vabs(x), where(x > zero, dy, where(x < zero, -dy, zero)))           \
    ROW(affine, "scale * x + shift", "scale=1.0, shift=0.0", X, x * S(0) + S(1), dy * S(0))       \
    ROW(reciprocal, "1 / x", "", Y, one / x, -dy * y * y)                                         \
    ROW(power, "x ** exponent", "exponent=1.0", X, vpower(x, s[0]),                               \
        dy * vpower_slope(x, s[0]))                                                               \
    ROW(softplus, "log(1 + exp(beta * x)) / beta, and x where beta * x > threshold",              \
        "beta=1.0, threshold=20.0", X, where(x * S(0) > S(1), x, vsoftplus(x * S(0)) / S(0)),     \
        where(x * S(0) > S(1), dy, dy * vsigmoid(x * S(0))))                                      \
    ROW(erf, "erf(x)", "", X, verf(x),                                                            \
        dy * 1.12837917f * gaussian(clamp(-14.5f, 14.5f, x), 1.0f))                               \
    ROW(logsigmoid, "log(1 / (1 + exp(-x)))", "", X, -vsoftplus(-x), dy * vsigmoid(-x))           \
    ROW(hardtanh, "min(max(x, min_val), max_val)", "min_val=-1.0, max_val=1.0", Y,                \
        vmin(S(1), vmax(S(0), x)), where((y > S(0)) & (y < S(1)), dy, zero))                      \
    ROW(clamp, "min(max(x, min), max)", "min, max", X, vmin(S(1), vmax(S(0), x)),                 \
        where((x >= S(0)) & (x <= S(1)), dy, zero))                                               \
    ROW(selu, "scale * (x if x > 0 else alpha * (exp(x) - 1))", "", X,                            \
        where(x > zero, x * SELU_SCALE, expm1_negative(x) * SELU_BELOW),                          \
        where(x > zero, dy * SELU_SCALE, dy * vexp(x) * SELU_BELOW))                              \
    ROW(celu, "x if x > 0 else alpha * (exp(x / alpha) - 1)", "alpha=1.0", X,                     \
        where(x > zero, x, S(0) * vexpm1(x / S(0))), where(x > zero, dy, dy * vexp(x / S(0))))    \
    ROW(mish, "x * tanh(log(1 + exp(x)))", "", X, vmish(x), dy * vmish_slope(x))                  \
    ROW(softsign, "x / (1 + abs(x))", "", X, vsoftsign(x),                                        \
        dy / (one + vabs(x)) / (one + vabs(x)))                                                   \
    ROW(hardsigmoid, "min(max(x + 3, 0), 6) / 6", "", X, relu6_of(x + 3.0f) / 6.0f,               \
        where((x > -3.0f) & (x < 3.0f), dy / 6.0f, zero))                                         \
    ROW(hardswish, "x * min(max(x + 3, 0), 6) / 6", "", X,                                        \
        vmax(splat(-3.0f), x) * (relu6_of(x + 3.0f) / 6.0f),                                      \
        where(x > -3.0f, where(x < 3.0f, dy * (x / 3.0f + 0.5f), dy), zero))                      \
    ROW(hardshrink, "0 if -lambd <= x <= lambd else x", "lambd=0.5", X,                           \
        where((x >= -S(0)) & (x <= S(0)), zero, x), where((x >= -S(0)) & (x <= S(0)), zero, dy))  \
    ROW(softshrink, "x - lambd if x > lambd else x + lambd if x < -lambd else 0", "lambd=0.5",    \
        X, where(x > S(0), x - S(0), where(x < -S(0), x + S(0), where(x == x, zero, x))),         \
        where((x >= -S(0)) & (x <= S(0)), zero, dy))                                              \
    ROW(tanhshrink, "x - tanh(x)", "", X, vtanhshrink(x), dy * vtanh(x) * vtanh(x))               \
    ROW(threshold, "x if x > threshold else value", "threshold, value", X,                        \
        where(x <= S(0), S(1), x), where(x <= S(0), zero, dy))                                    \
    ROW(sign, "1 if x > 0, -1 if x < 0, 0 if x = 0", "", X,                                       \
        where(x > zero, one, where(x < zero, -one, where(x == x, zero, x))), zero)                \
    ROW(log1p, "log(1 + x)", "", X, vlog1p(x), dy / (one + x))                                    \
    ROW(expm1, "exp(x) - 1", "", Y, vexpm1(x), dy * (y + one))                                    \
    ROW(exp2, "2**x", "", Y, vexp2(x), dy * y * 0.693147181f)                                     \
    ROW(log2, "log(x) / log(2)", "", X, vlog2(x), dy / (x * 0.693147181f))                        \
    ROW(log10, "log(x) / log(10)", "", X, vlog10(x), dy / (x * 2.30258509f))                      \
    ROW(rsqrt, "1 / sqrt(x)", "", Y, one / vroot(x), dy * (-0.5f * y) * y * y)                    \
    ROW(sin, "sin(x)", "", X, vsin(x), dy * vcos(x))                                              \
    ROW(cos, "cos(x)", "", X, vcos(x), -dy * vsin(x))                                             \
    ROW(floor, "the largest whole number up to x", "", X, vfloor(x), zero)                        \
    ROW(ceil, "the smallest whole number from x on", "", X, vceil(x), zero)                       \
    ROW(round, "the whole number nearest to x, the even one of two", "", X, vround(x), zero)      \
    ROW(trunc, "x without its fraction", "", X, vtrunc(x), zero)

#define S(i) splat((float)s[i])
#define X x
#define Y y

/* A copy of the arguments that no store can change, so that they are read once. */
#define ARGUMENTS(text)                                                                           \
    const double s[2] = {sizeof(text) > 1 ? s_[0] : 0, __builtin_strchr(text, ',') ? s_[1] : 0};

#define DEFINE_UNARY(name, formula, arguments, saved, value, gradient)                            \
    INLINE vf name##_value(vf x, const double *s) {                                               \
        const vf zero = {0}, one = splat(1.0f);                                                   \
        (void)zero, (void)one, (void)s;                                                           \
        return value;                                                                             \
    }                                                                                             \
    INLINE vf name##_gradient(vf saved, vf dy, const double *s) {                                 \
        const vf zero = {0}, one = splat(1.0f);                                                   \
        (void)zero, (void)one, (void)s;                                                           \
        return gradient;                                                                          \
    }                                                                                             \
    static void name##_forward(int64_t n, const float *x, float *y, const double *s_) {           \
        ARGUMENTS(arguments)                                                                      \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES) store(y + i, name##_value(load(x + i), s));            \
        if (i < n) store_head(y + i, name##_value(load_head(x + i, n - i), s), n - i);            \
    }                                                                                             \
    static void name##_backward(int64_t n, const float *saved_, const float *dy, float *dx,       \
                                const double *s_) {                                               \
        ARGUMENTS(arguments)                                                                      \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES)                                                        \
            store(dx + i, name##_gradient(load(saved_ + i), load(dy + i), s));                    \
        if (i < n)                                                                                \
            store_head(dx + i,                                                                    \
                       name##_gradient(load_head(saved_ + i, n - i), load_head(dy + i, n - i), s),\
                       n - i);                                                                    \
    }
POINTWISE(DEFINE_UNARY)
#undef X
#undef Y
#undef S
#undef ARGUMENTS

#define UNARY_ROW(name, formula, arguments, saved, value, gradient)                               \
    {#name, formula, arguments, #saved[0] | 0x20, name##_forward, name##_backward},
#define COUNT_ROW(...) +1

/* Pointwise functions of one tensor: the table of POINTWISE rows, and the loops made from it.
 *
 * A row: name, formula for people, arguments with defaults, what the gradient reads (X or Y),
 * the value of x, and the gradient from dy and x or y. s[0], s[1] are the arguments, in order.
 * A new operation is one row here and one case in tests/cases/pointwise.py.
 */
#include "pointwise/simd/power.h"
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
    ROW(softplus, "log(1 + exp(x))", "", X, vsoftplus(x), dy * vsigmoid(x))                       \
    ROW(erf, "erf(x)", "", X, verf(x), dy * 1.12837917f * gaussian(clamp(-14.5f, 14.5f, x), 1.0f))

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

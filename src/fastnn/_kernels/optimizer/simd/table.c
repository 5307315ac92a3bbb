/* Optimizers: one fused pass over parameter, gradient and state; one row per optimizer.
 *
 * A row: name, its numbers, what else follows from them and from the number of the step (the first
 * is 1), buffers per tensor, how that follows, and the update of one vector. Every row's numbers
 * begin with `scale` and `limit`: g = clamp(g * scale, -limit, limit), before all else. In an
 * update, w, g and (where the row has them) m, v are the parameter, that gradient and the state, to
 * be changed in place; H(lr) is a number as a vector. A new optimizer is one row here, one line in
 * optimizer.pyx and one twin in tests/reference/optimizer.py.
 */
#include <math.h>

#include "optimizer/simd/table.h"
#include "simd/vector.h"

#define OPTIMIZERS(ROW)                                                                           \
    ROW(sgd, (lr, weight_decay), (), 2, , w -= H(lr) * (g + H(weight_decay) * w))                 \
    ROW(sgd_momentum, (lr, weight_decay, momentum, dampening), (), 3, FIRST_IS_NOT_DAMPED,        \
        m = H(momentum) * m + H1(dampening) * (g + H(weight_decay) * w);                          \
        w -= H(lr) * m)                                                                           \
    ROW(sgd_nesterov, (lr, weight_decay, momentum, dampening), (), 3, FIRST_IS_NOT_DAMPED,        \
        g += H(weight_decay) * w;                                                                 \
        m = H(momentum) * m + H1(dampening) * g;                                                  \
        w -= H(lr) * (g + H(momentum) * m))                                                       \
    ROW(adam, (lr, weight_decay, beta1, beta2, eps), (bias1, bias2), 4, BIAS_CORRECTIONS,         \
        g += H(weight_decay) * w;                                                                 \
        ADAM_STEP)                                                                                \
    ROW(adamw, (lr, weight_decay, beta1, beta2, eps), (bias1, bias2), 4, BIAS_CORRECTIONS,        \
        w -= F(h[lr] * h[weight_decay]) * w;                                                      \
        ADAM_STEP)

#define FIRST_IS_NOT_DAMPED if (step == 1) h[dampening] = 0.0
#define BIAS_CORRECTIONS                                                                          \
    h[bias1] = 1.0 - pow(h[beta1], (double)step), h[bias2] = 1.0 - pow(h[beta2], (double)step)

#define ADAM_STEP                                                                                 \
    m += H1(beta1) * (g - m);                                                                     \
    v = H(beta2) * v + H1(beta2) * g * g;                                                         \
    w -= F(h[lr] / h[bias1]) * m / (vsqrt(v) * F(1.0 / sqrt(h[bias2])) + H(eps))

/* A number that is computed in double, rounded to float once; h[name] and 1 - h[name]. */
#define F(number) splat((float)(number))
#define H(name) F(h[name])
#define H1(name) F(1.0 - h[name])

/* Names as places in h: those of the numbers that are given, their COUNT, and those that follow. */
#define NAMES(numbers, more) enum { scale, limit, LIST numbers, COUNT, LIST more }
#define LIST(...) __VA_ARGS__
#define TEXT(...) "scale, limit, " #__VA_ARGS__

#define DEFINE_OPTIMIZER(name, numbers, more, count, follows, ...)                                \
    INLINE void name##_vector(const double *h, float *const *buffers, int64_t i, int64_t n) {     \
        NAMES(numbers, more);                                                                     \
        vf state[4] = {{0}};                                                                      \
        for (int k = 0; k < count; k++)                                                           \
            state[k] = n == LANES ? load(buffers[k] + i) : load_head(buffers[k] + i, n);          \
        vf w = state[0], m = state[2], v = state[3];                                              \
        vf g = vmin(H(limit), vmax(-H(limit), H(scale) * state[1]));                              \
        __VA_ARGS__;                                                                              \
        state[0] = w, state[2] = m, state[3] = v;                                                 \
        for (int k = 0; k < count; k++)                                                           \
            if (k != 1) {                                                                         \
                if (n == LANES) store(buffers[k] + i, state[k]);                                  \
                else store_head(buffers[k] + i, state[k], n);                                     \
            }                                                                                     \
    }                                                                                             \
    static void name##_update(int64_t n, int64_t step, const double *given, float *const *all) {  \
        NAMES(numbers, more);                                                                     \
        double h[16]; /* copies that no store can change, so that they are read once */           \
        float *buffers[4];                                                                        \
        memcpy(h, given, COUNT * sizeof(double));                                                 \
        follows;                                                                                  \
        memcpy(buffers, all, count * sizeof(float *));                                            \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES) name##_vector(h, buffers, i, LANES);                   \
        if (i < n) name##_vector(h, buffers, i, n - i);                                           \
    }
OPTIMIZERS(DEFINE_OPTIMIZER)

#define OPTIMIZER_ROW(name, numbers, more, count, ...) {#name, TEXT numbers, count, name##_update},
#define COUNT_ROW(...) +1

const optimizer_table TABLE(optimizer) = {OPTIMIZERS(COUNT_ROW), {OPTIMIZERS(OPTIMIZER_ROW)}};

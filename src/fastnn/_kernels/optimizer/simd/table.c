/* Optimizers: one fused pass over parameter, gradient and state; one row per optimizer.
 *
 * A row: name, its numbers, what else follows from them and from the number of the step (the first
 * is 1), buffers per tensor, what is carried to the next step, how that follows, and the update of
 * one vector. Every row's numbers begin with `scale` and `limit`: g = clamp(g * scale, -limit,
 * limit), before all else. In an update, w, g and (where the row has them) m, v, x are the
 * parameter, that gradient and the state, to be changed in place; H(lr) is a number as a vector. A
 * row whose `carried` is not empty has one number more for each tensor, that it finds as `carried`
 * and changes once all vectors are done. A new optimizer is one row here, one line in optimizer.pyx
 * and one twin in tests/reference/optimizer.py.
 */
#include <math.h>

#include "optimizer/simd/table.h"
#include "simd/vector.h"

#define OPTIMIZERS(ROW)                                                                           \
    ROW(sgd, (lr, weight_decay), (), 2, , , w -= H(lr) * (g + H(weight_decay) * w))               \
    ROW(sgd_momentum, (lr, weight_decay, momentum, dampening), (), 3, , FIRST_IS_NOT_DAMPED,      \
        m = H(momentum) * m + H1(dampening) * (g + H(weight_decay) * w);                          \
        w -= H(lr) * m)                                                                           \
    ROW(sgd_nesterov, (lr, weight_decay, momentum, dampening), (), 3, , FIRST_IS_NOT_DAMPED,      \
        g += H(weight_decay) * w;                                                                 \
        m = H(momentum) * m + H1(dampening) * g;                                                  \
        w -= H(lr) * (g + H(momentum) * m))                                                       \
    ROW(adam, ADAM_NUMBERS, (bias1, bias2), 4, , BIAS_CORRECTIONS,                                \
        DECAY;                                                                                    \
        MOMENTS;                                                                                  \
        ADAM_STEP(v))                                                                             \
    ROW(amsgrad, ADAM_NUMBERS, (bias1, bias2), 5, , BIAS_CORRECTIONS,                             \
        DECAY;                                                                                    \
        MOMENTS;                                                                                  \
        x = vmax(x, v);                                                                           \
        ADAM_STEP(x))                                                                             \
    ROW(nadam, (lr, weight_decay, decoupled, beta1, beta2, eps, momentum_decay),                  \
        (bias2, of_g, of_m), 4, carried *= NADAM_MU(step), NADAM_SHARES,                          \
        DECAY;                                                                                    \
        MOMENTS;                                                                                  \
        w -= (H(of_g) * g + H(of_m) * m) / (vsqrt(v) * F(1.0 / sqrt(h[bias2])) + H(eps)))         \
    ROW(radam, ADAM_NUMBERS, (bias1, bias2, rectified, rate), 4, , RECTIFICATION,                 \
        DECAY;                                                                                    \
        MOMENTS;                                                                                  \
        w -= H(rate) * m / where(H(rectified) != 0.0f, vsqrt(v) + H(eps), F(1.0)))                \
    ROW(adamax, (lr, weight_decay, beta1, beta2, eps), (bias1), 4, ,                              \
        h[bias1] = 1.0 - pow(h[beta1], (double)step),                                             \
        g += H(weight_decay) * w;                                                                 \
        m += H1(beta1) * (g - m);                                                                 \
        v = vmax(H(beta2) * v, vmax(g, -g) + H(eps));                                             \
        w -= F(h[lr] / h[bias1]) * m / v)                                                         \
    ROW(adagrad, (lr, weight_decay, lr_decay, eps), (rate), 3, ,                                  \
        h[rate] = h[lr] / (1.0 + (double)(step - 1) * h[lr_decay]),                               \
        g += H(weight_decay) * w;                                                                 \
        m += g * g;                                                                               \
        w -= H(rate) * g / (vsqrt(m) + H(eps)))                                                   \
    ROW(adadelta, (lr, weight_decay, rho, eps), (), 4, , ,                                        \
        g += H(weight_decay) * w;                                                                 \
        m = H(rho) * m + H1(rho) * g * g;                                                         \
        g *= vsqrt((v + H(eps)) / (m + H(eps)));                                                  \
        v = H(rho) * v + H1(rho) * g * g;                                                         \
        w -= H(lr) * g)                                                                           \
    ROW(rmsprop, (lr, weight_decay, alpha, eps), (), 3, , ,                                       \
        MEAN_SQUARE(m);                                                                           \
        w -= H(lr) * g / (vsqrt(m) + H(eps)))                                                     \
    ROW(rmsprop_momentum, (lr, weight_decay, alpha, eps, momentum), (), 4, , ,                    \
        MEAN_SQUARE(m);                                                                           \
        v = H(momentum) * v + g / (vsqrt(m) + H(eps));                                            \
        w -= H(lr) * v)                                                                           \
    ROW(rmsprop_centered, (lr, weight_decay, alpha, eps), (), 4, , ,                              \
        MEAN_SQUARE(m);                                                                           \
        v += H1(alpha) * (g - v);                                                                 \
        w -= H(lr) * g / (DEVIATION(m, v) + H(eps)))                                              \
    ROW(rmsprop_centered_momentum, (lr, weight_decay, alpha, eps, momentum), (), 5, , ,           \
        MEAN_SQUARE(m);                                                                           \
        v += H1(alpha) * (g - v);                                                                 \
        x = H(momentum) * x + g / (DEVIATION(m, v) + H(eps));                                     \
        w -= H(lr) * x)                                                                           \
    ROW(rprop, (lr, eta_minus, eta_plus, least, most), (kept, begun), 4, , FIRST_SIZE_IS_LR,      \
        vf turn = g * m;                                                                          \
        v = H(kept) * v + H(begun);                                                               \
        v *= where(turn > 0.0f, H(eta_plus), where(turn < 0.0f, H(eta_minus), F(1.0)));           \
        v = vmin(vmax(v, H(least)), H(most));                                                     \
        m = where(turn < 0.0f, F(0.0), g);                                                        \
        w -= SIGN(m) * v)                                                                         \
    ROW(asgd, (lr, weight_decay, lambd, alpha, t0), (eta, mu), 3, carried = ASGD_RATE,            \
        ASGD_RATES,                                                                               \
        g += H(weight_decay) * w;                                                                 \
        w -= H(eta) * (H(lambd) * w + g);                                                         \
        m = where(H(mu) == 1.0f, w, m + H(mu) * (w - m)))                                         \
    ROW(lion, (lr, weight_decay, beta1, beta2), (), 3, , ,                                        \
        vf mean = m + H1(beta1) * (g - m);                                                        \
        w -= H(lr) * (SIGN(mean) + H(weight_decay) * w);                                          \
        m += H1(beta2) * (g - m))                                                                 \
    ROW(muon, MUON_NUMBERS, (), 4, , ,                                                            \
        m += H1(momentum) * (g - m);                                                              \
        w -= F(h[lr] * h[weight_decay]) * w + H(lr) * v)                                          \
    ROW(ema, (weight), (), 2, , , w += H(weight) * (g - w))

/* Decay that is added to the gradient, and decay of the parameter itself; one of them is 0. */
#define ADAM_NUMBERS (lr, weight_decay, decoupled, beta1, beta2, eps)
#define DECAY                                                                                     \
    g += H(weight_decay) * w;                                                                     \
    w -= F(h[lr] * h[decoupled]) * w

#define FIRST_IS_NOT_DAMPED if (step == 1) h[dampening] = 0.0
#define BIAS_CORRECTIONS                                                                          \
    h[bias1] = 1.0 - pow(h[beta1], (double)step), h[bias2] = 1.0 - pow(h[beta2], (double)step)
#define MOMENTS                                                                                   \
    m += H1(beta1) * (g - m);                                                                     \
    v = H(beta2) * v + H1(beta2) * g * g
#define ADAM_STEP(square)                                                                         \
    w -= F(h[lr] / h[bias1]) * m / (vsqrt(square) * F(1.0 / sqrt(h[bias2])) + H(eps))

/* NAdam: the momentum of a step; carried is the product of those of all steps before. */
#define NADAM_MU(step) (h[beta1] * (1.0 - 0.5 * pow(0.96, (double)(step) * h[momentum_decay])))
#define NADAM_SHARES                                                                              \
    double mu = NADAM_MU(step), next = NADAM_MU(step + 1), product = carried * mu;                \
    h[bias2] = 1.0 - pow(h[beta2], (double)step);                                                 \
    h[of_g] = h[lr] * (1.0 - mu) / (1.0 - product);                                               \
    h[of_m] = h[lr] * next / (1.0 - product * next)

/* RAdam: as long as the variance of v is not known, the step does without it. */
#define RECTIFICATION                                                                             \
    BIAS_CORRECTIONS;                                                                             \
    double longest = 2.0 / (1.0 - h[beta2]) - 1.0;                                                \
    double length = longest - 2.0 * (double)step * (1.0 - h[bias2]) / h[bias2];                   \
    double of_longest = (longest - 4.0) * (longest - 2.0) / longest;                              \
    h[rectified] = length > 5.0;                                                                  \
    h[rate] = h[lr] / h[bias1];                                                                   \
    if (length > 5.0)                                                                             \
        h[rate] *= sqrt(h[bias2] * (length - 4.0) * (length - 2.0) / (length * of_longest))

#define MEAN_SQUARE(mean)                                                                         \
    g += H(weight_decay) * w;                                                                     \
    mean = H(alpha) * mean + H1(alpha) * g * g
/* Rounding may make the variance of a gradient that hardly changes negative. */
#define DEVIATION(square, mean) vsqrt(vmax(F(0.0), square - mean * mean))

#define FIRST_SIZE_IS_LR h[kept] = step > 1, h[begun] = step > 1 ? 0.0 : h[lr]

/* ASGD: the rate of a step follows from the numbers of the step before; it is carried. */
#define ASGD_RATE h[lr] / pow(1.0 + h[lambd] * h[lr] * (double)step, h[alpha])
#define ASGD_RATES                                                                                \
    h[eta] = step == 1 ? h[lr] : carried;                                                         \
    h[mu] = 1.0 / fmax(1.0, (double)(step - 1) - h[t0])

/* Muon: v is the orthogonal direction of the step, which is made of muon_direction's. `mix` is the
 * share of the momentum in that: all, or with Nesterov's as much as it decays. */
#define MUON_NUMBERS (lr, weight_decay, momentum, mix)

/* A number that is computed in double, rounded to float once; h[name] and 1 - h[name]. */
#define F(number) splat((float)(number))
#define H(name) F(h[name])
#define H1(name) F(1.0 - h[name])
#define SIGN(y) where(y > 0.0f, F(1.0), where(y < 0.0f, F(-1.0), F(0.0)))
#define CLIPPED(y) vmin(H(limit), vmax(-H(limit), H(scale) * (y)))

/* Names as places in h: those of the numbers that are given, their COUNT, and those that follow. */
#define NAMES(numbers, more) enum { scale, limit, LIST numbers, COUNT, LIST more }
#define LIST(...) __VA_ARGS__
#define TEXT(...) "scale, limit, " #__VA_ARGS__

#define DEFINE_OPTIMIZER(name, numbers, more, count, next_carried, follows, ...)                  \
    INLINE void name##_vector(const double *h, float *const *buffers, int64_t i, int64_t n) {     \
        NAMES(numbers, more);                                                                     \
        vf state[OPTIMIZER_BUFFERS] = {{0}};                                                      \
        for (int k = 0; k < count; k++)                                                           \
            state[k] = n == LANES ? load(buffers[k] + i) : load_head(buffers[k] + i, n);          \
        vf w = state[0], g = CLIPPED(state[1]), m = state[2], v = state[3], x = state[4];         \
        __VA_ARGS__;                                                                              \
        state[0] = w, state[2] = m, state[3] = v, state[4] = x;                                   \
        for (int k = 0; k < count; k++)                                                           \
            if (k != 1) {                                                                         \
                if (n == LANES) store(buffers[k] + i, state[k]);                                  \
                else store_head(buffers[k] + i, state[k], n);                                     \
            }                                                                                     \
    }                                                                                             \
    static void name##_update(int64_t n, int64_t step, double carried, const double *given,       \
                              float *const *all) {                                                \
        NAMES(numbers, more);                                                                     \
        double h[16]; /* copies that no store can change, so that they are read once */           \
        float *buffers[OPTIMIZER_BUFFERS];                                                        \
        memcpy(h, given, COUNT * sizeof(double));                                                 \
        follows;                                                                                  \
        memcpy(buffers, all, count * sizeof(float *));                                            \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES) name##_vector(h, buffers, i, LANES);                   \
        if (i < n) name##_vector(h, buffers, i, n - i);                                           \
    }                                                                                             \
    static double name##_carried(int64_t step, double carried, const double *h) {                 \
        NAMES(numbers, more);                                                                     \
        next_carried;                                                                             \
        return carried;                                                                           \
    }
OPTIMIZERS(DEFINE_OPTIMIZER)

/* Muon's direction before it is made orthogonal; m is left as it is. */
static void muon_direction(int64_t n, const double *h, const float *g, const float *m, float *y) {
    NAMES(MUON_NUMBERS, ());
    for (int64_t i = 0; i < n; i += LANES) {
        vf slope = CLIPPED(load_n(g + i, n - i)), mean = load_n(m + i, n - i);
        mean += H1(momentum) * (slope - mean);
        store_n(y + i, H1(mix) * slope + H(mix) * mean, n - i);
    }
}

#define OPTIMIZER_ROW(name, numbers, more, count, carried, ...)                                   \
    {#name, TEXT numbers, count, sizeof(#carried) > 1, name##_update, name##_carried},
#define COUNT_ROW(...) +1

const optimizer_table TABLE(optimizer) = {
    OPTIMIZERS(COUNT_ROW), {OPTIMIZERS(OPTIMIZER_ROW)}, muon_direction};

/* Optimizers: one fused pass over parameter, gradient and state; one row per optimizer.
 *
 * A row: name, names of the numbers in hyper, buffers per tensor, what follows from the number of
 * the step (the first is 1), and the update of one vector. What follows changes the numbers, or
 * adds to them behind those named. In an update: w, g and (where the row has them) m, v are the
 * parameter, gradient and state, to be changed in place; H(i) is hyper[i] as a vector. A new
 * optimizer is one row here, one line in optimizer.pyx and one twin in tests/reference/optimizer.py.
 */
#include <math.h>

#include "optimizer/simd/table.h"
#include "simd/vector.h"

#define OPTIMIZERS(ROW)                                                                           \
    ROW(sgd, "lr, weight_decay", 2, , w -= H(0) * (g + H(1) * w))                                 \
    ROW(sgd_momentum, "lr, weight_decay, momentum, dampening", 3, FIRST_IS_NOT_DAMPED,            \
        m = H(2) * m + H1(3) * (g + H(1) * w);                                                    \
        w -= H(0) * m)                                                                            \
    ROW(sgd_nesterov, "lr, weight_decay, momentum, dampening", 3, FIRST_IS_NOT_DAMPED,            \
        g += H(1) * w;                                                                            \
        m = H(2) * m + H1(3) * g;                                                                 \
        w -= H(0) * (g + H(2) * m))                                                               \
    ROW(adam, "lr, weight_decay, beta1, beta2, eps", 4, BIAS_CORRECTIONS,                         \
        g += H(1) * w;                                                                            \
        ADAM_STEP)                                                                                \
    ROW(adamw, "lr, weight_decay, beta1, beta2, eps", 4, BIAS_CORRECTIONS,                        \
        w -= splat((float)(hyper[0] * hyper[1])) * w;                                             \
        ADAM_STEP)

#define FIRST_IS_NOT_DAMPED if (step == 1) hyper[3] = 0.0
#define BIAS_CORRECTIONS                                                                          \
    hyper[5] = 1.0 - pow(hyper[2], (double)step), hyper[6] = 1.0 - pow(hyper[3], (double)step)

#define ADAM_STEP                                                                                 \
    m += H1(2) * (g - m);                                                                         \
    v = H(3) * v + H1(3) * g * g;                                                                 \
    w -= splat((float)(hyper[0] / hyper[5])) * m /                                                \
         (vsqrt(v) * splat((float)(1.0 / sqrt(hyper[6]))) + H(4))

/* hyper[i] and 1 - hyper[i], rounded to float once. */
#define H(i) splat((float)hyper[i])
#define H1(i) splat((float)(1.0 - hyper[i]))

/* Numbers in "lr, weight_decay": each takes a comma but the last. */
INLINE int hyper_count(const char *text) {
    int count = 1;
    for (; *text; text++) count += *text == ',';
    return count;
}

#define DEFINE_OPTIMIZER(name, numbers, count, follows, ...)                                      \
    INLINE void name##_vector(const double *hyper, float *const *buffers, int64_t i, int64_t n) { \
        vf state[4] = {{0}};                                                                      \
        for (int k = 0; k < count; k++)                                                           \
            state[k] = n == LANES ? load(buffers[k] + i) : load_head(buffers[k] + i, n);          \
        vf w = state[0], g = state[1], m = state[2], v = state[3];                                \
        __VA_ARGS__;                                                                              \
        state[0] = w, state[2] = m, state[3] = v;                                                 \
        for (int k = 0; k < count; k++)                                                           \
            if (k != 1) {                                                                         \
                if (n == LANES) store(buffers[k] + i, state[k]);                                  \
                else store_head(buffers[k] + i, state[k], n);                                     \
            }                                                                                     \
    }                                                                                             \
    static void name##_update(int64_t n, int64_t step, const double *numbers_,                    \
                              float *const *buffers_) {                                           \
        double hyper[8]; /* copies that no store can change, so that they are read once */        \
        float *buffers[4];                                                                        \
        memcpy(hyper, numbers_, 8 * hyper_count(numbers));                                        \
        follows;                                                                                  \
        memcpy(buffers, buffers_, count * sizeof(float *));                                       \
        int64_t i = 0;                                                                            \
        for (; i + LANES <= n; i += LANES) name##_vector(hyper, buffers, i, LANES);               \
        if (i < n) name##_vector(hyper, buffers, i, n - i);                                       \
    }
OPTIMIZERS(DEFINE_OPTIMIZER)
#undef H
#undef H1

#define OPTIMIZER_ROW(name, numbers, count, follows, ...) {#name, numbers, count, name##_update},

#define COUNT_ROW(...) +1

const optimizer_table TABLE(optimizer) = {OPTIMIZERS(COUNT_ROW), {OPTIMIZERS(OPTIMIZER_ROW)}};

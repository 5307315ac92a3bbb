/* Softmax of one row of classes, cross-entropy of many. */

#include "elementary.h"

/* The next vector of a row of which n values are left, filled up with `rest`. */
INLINE vf load_row(const float *x, int64_t n, float rest) {
    return fill_after(load_n(x, n), n, rest);
}

INLINE float row_max(int64_t n, const float *x) {
    vf top = splat(-__builtin_inff());
    for (int64_t j = 0; j < n; j += LANES) top = vmax(top, load_row(x + j, n - j, x[0]));
    return lane_max(top);
}

/* sum of exp(x - max), stored in y unless that is NULL */
INLINE float exp_row(int64_t n, const float *x, float max, float *y) {
    vf sum = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vf value = vexp(load_row(x + j, n - j, -__builtin_inff()) - splat(max));
        if (y) store_n(y + j, value, n - j);
        sum += value;
    }
    return lane_sum(sum);
}

static void softmax_row(int64_t n, const float *x, float *y) {
    const vf scale = splat(1.0f / exp_row(n, x, row_max(n, x), y));
    for (int64_t j = 0; j < n; j += LANES)
        store_n(y + j, load_n(y + j, n - j) * scale, n - j);
}

/* Logarithms of many rows at once: a vector of them takes as long as one. */
static void max_and_log_sum(int64_t rows, int64_t n, const float *x, float *max, float *log_sum) {
    for (int64_t i = 0; i < rows; i++) {
        max[i] = row_max(n, x + i * n);
        log_sum[i] = exp_row(n, x + i * n, max[i], 0);
    }
    for (int64_t i = 0; i < rows; i += LANES)
        store_n(log_sum + i, vlog(load_n(log_sum + i, rows - i)), rows - i);
}

static void log_softmax_row(int64_t n, const float *x, float *y) {
    const float top = row_max(n, x);
    const vf max = splat(top), log_sum = vlog(splat(exp_row(n, x, top, 0)));
    for (int64_t j = 0; j < n; j += LANES)
        store_n(y + j, load_n(x + j, n - j) - max - log_sum, n - j);
}

static void softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf dot = {0};
    for (int64_t j = 0; j < n; j += LANES)
        dot = vfma(load_n(y + j, n - j), load_n(dy + j, n - j), dot);
    const vf mean = splat(lane_sum(dot));
    for (int64_t j = 0; j < n; j += LANES)
        store_n(dx + j, load_n(y + j, n - j) * (load_n(dy + j, n - j) - mean), n - j);
}

static void log_softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf total = {0};
    for (int64_t j = 0; j < n; j += LANES) total += load_n(dy + j, n - j);
    const vf sum = splat(lane_sum(total));
    for (int64_t j = 0; j < n; j += LANES) {
        const vf share = vexp(load_n(y + j, n - j)) * sum;
        store_n(dx + j, load_n(dy + j, n - j) - share, n - j);
    }
}

static float weighted_sum(int64_t n, const float *x, const float *weight, float max) {
    vf sum = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vf w = weight ? load_n(weight + j, n - j) : splat(1.0f);
        sum = vfma(load_row(x + j, n - j, max) - splat(max), w, sum);
    }
    return lane_sum(sum);
}

static void cross_entropy_grad(int64_t rows, int64_t n, const float *x, const float *weight,
                               const float *log_sum_exp, const float *gain, const float *smooth,
                               float *dx) {
    for (int64_t i = 0; i < rows; i++, x += n, dx += n)
        for (int64_t j = 0; j < n; j += LANES) {
            const vf p = vexp(load_n(x + j, n - j) - splat(log_sum_exp[i]));
            const vf w = weight ? load_n(weight + j, n - j) : splat(1.0f);
            store_n(dx + j, p * splat(gain[i]) - w * splat(smooth[i]), n - j);
        }
}

#define SOFTMAX_KERNELS                                                                           \
    {softmax_row, log_softmax_row, softmax_grad_row, log_softmax_grad_row, max_and_log_sum,           \
     weighted_sum, cross_entropy_grad}

/* Softmax and cross-entropy of one row of classes. */

#include <math.h>

/* exp(x) for x <= 88: 2^n * p(r), where x = n log 2 + r; below the normal range it gives zero. */
INLINE vf softmax_exp(vf x) {
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    const vf lowest = splat(-87.33654f);
    const vf bounded = vmax(lowest, x); /* a NaN passes */
    const vf shifted = vfma(bounded, splat(1.44269504f), magic);
    const vf n = shifted - magic;
    vf r = vfma(n, splat(-0.693359375f), bounded);
    r = vfma(n, splat(2.12194440e-4f), r);
    vf p = splat(1.9875691500e-4f);
    p = vfma(p, r, splat(1.3981999507e-3f));
    p = vfma(p, r, splat(8.3334519073e-3f));
    p = vfma(p, r, splat(4.1665795894e-2f));
    p = vfma(p, r, splat(1.6666665459e-1f));
    p = vfma(p, r, splat(5.0000001201e-1f));
    p = vfma(p, r * r, r + splat(1.0f));
    const vi power = ((vi)shifted - (vi)magic + 127) << 23;
    return where(x < lowest, (vf){0}, p * (vf)power);
}

/* The next vector of a row of which n values are left, filled up with `rest`. */
INLINE vf load_row(const float *x, int64_t n, float rest) {
    return fill_after(load_n(x, n), n, rest);
}

static float row_max(int64_t n, const float *x) {
    vf top = splat(-__builtin_inff());
    for (int64_t j = 0; j < n; j += LANES) top = vmax(top, load_row(x + j, n - j, x[0]));
    return lane_max(top);
}

/* sum of exp(x - max), stored in y unless that is NULL */
INLINE float exp_row(int64_t n, const float *x, float max, float *y) {
    vf sum = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vf value = softmax_exp(load_row(x + j, n - j, -__builtin_inff()) - splat(max));
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

static void max_and_sum(int64_t n, const float *x, float *out) {
    out[0] = row_max(n, x);
    out[1] = exp_row(n, x, out[0], 0);
}

static void log_softmax_row(int64_t n, const float *x, float *y) {
    float row[2];
    max_and_sum(n, x, row);
    const vf max = splat(row[0]), log_sum = splat(logf(row[1]));
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
        const vf share = softmax_exp(load_n(y + j, n - j)) * sum;
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

static void cross_entropy_grad_row(int64_t n, const float *x, const float *weight,
                                   float log_sum_exp, float gain, float smooth, float *dx) {
    for (int64_t j = 0; j < n; j += LANES) {
        const vf p = softmax_exp(load_n(x + j, n - j) - splat(log_sum_exp));
        const vf w = weight ? load_n(weight + j, n - j) : splat(1.0f);
        store_n(dx + j, p * splat(gain) - w * splat(smooth), n - j);
    }
}

#define SOFTMAX_KERNELS                                                                           \
    {softmax_row, log_softmax_row, softmax_grad_row, log_softmax_grad_row, max_and_sum,           \
     weighted_sum, cross_entropy_grad_row}

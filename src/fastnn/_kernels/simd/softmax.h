/* Softmax and cross-entropy of one row of classes. */

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

INLINE float lane_sum(vf v) {
    float sum = v[0];
    for (int i = 1; i < LANES; i++) sum += v[i];
    return sum;
}

INLINE float lane_max(vf v) {
    float top = v[0];
    for (int i = 1; i < LANES; i++) top = v[i] <= top ? top : v[i];
    return top;
}

/* Of whole vectors over the row, and a tail filled up with `rest`. */
INLINE vf load_row(const float *x, int64_t n, float rest) {
    if (n >= LANES) return load(x);
    vf v = splat(rest);
    memcpy(&v, x, (size_t)n * 4);
    return v;
}
INLINE int64_t lanes_at(int64_t j, int64_t n) { return n - j < LANES ? n - j : LANES; }

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
        if (y) store_n(y + j, value, lanes_at(j, n));
        sum += value;
    }
    return lane_sum(sum);
}

static void softmax_row(int64_t n, const float *x, float *y) {
    const float scale = 1.0f / exp_row(n, x, row_max(n, x), y);
    for (int64_t j = 0; j < n; j++) y[j] *= scale;
}

static void max_and_sum(int64_t n, const float *x, float *out) {
    out[0] = row_max(n, x);
    out[1] = exp_row(n, x, out[0], 0);
}

static void log_softmax_row(int64_t n, const float *x, float *y) {
    float row[2];
    max_and_sum(n, x, row);
    const float log_sum = __builtin_logf(row[1]);
    for (int64_t j = 0; j < n; j++) y[j] = x[j] - row[0] - log_sum;
}

static void softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf dot = {0};
    for (int64_t j = 0; j < n; j += LANES)
        dot = vfma(load_row(y + j, n - j, 0), load_row(dy + j, n - j, 0), dot);
    const float mean = lane_sum(dot);
    for (int64_t j = 0; j < n; j++) dx[j] = y[j] * (dy[j] - mean);
}

static void log_softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf total = {0};
    for (int64_t j = 0; j < n; j += LANES) total += load_row(dy + j, n - j, 0);
    const vf sum = splat(lane_sum(total));
    for (int64_t j = 0; j < n; j += LANES) {
        const vf share = softmax_exp(load_row(y + j, n - j, 0)) * sum;
        store_n(dx + j, load_row(dy + j, n - j, 0) - share, lanes_at(j, n));
    }
}

static float weighted_sum(int64_t n, const float *x, const float *weight, float max) {
    vf sum = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vf w = weight ? load_row(weight + j, n - j, 0) : splat(1.0f);
        sum = vfma(load_row(x + j, n - j, max) - splat(max), w, sum);
    }
    return lane_sum(sum);
}

static void cross_entropy_grad_row(int64_t n, const float *x, const float *weight,
                                   float log_sum_exp, float gain, float smooth, float *dx) {
    for (int64_t j = 0; j < n; j += LANES) {
        const vf p = softmax_exp(load_row(x + j, n - j, 0) - splat(log_sum_exp));
        const vf w = weight ? load_row(weight + j, n - j, 0) : splat(1.0f);
        store_n(dx + j, p * splat(gain) - w * splat(smooth), lanes_at(j, n));
    }
}

#define SOFTMAX_KERNELS                                                                           \
    {softmax_row, log_softmax_row, softmax_grad_row, log_softmax_grad_row, max_and_sum,           \
     weighted_sum, cross_entropy_grad_row}

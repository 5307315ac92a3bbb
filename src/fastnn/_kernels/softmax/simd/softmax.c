/* Softmax of one row of classes, cross-entropy of many. */

#include "softmax/simd/softmax.h"
#include "simd/elementary.h"
#include "simd/tail.h"

/* The next vector of a row of which n values are left, filled up with `rest`. */
INLINE vf load_row(const float *x, int64_t n, float rest) {
    return fill_after(load_n(x, n), n, rest);
}

INLINE float row_max(int64_t n, const float *x) {
    vf top = splat(-__builtin_inff());
#define PART(lanes, j) top = vmax(top, load_row(x + j, lanes, x[0]))
    OVER_COLUMNS(n, PART);
#undef PART
    return lane_max(top);
}

/* sum of exp(x - max), stored in y unless that is NULL */
INLINE float exp_row(int64_t n, const float *x, float max, float *y) {
    vf sum = {0};
#define PART(lanes, j)                                                                            \
    const vf value = vexp(load_row(x + j, lanes, -__builtin_inff()) - splat(max));                \
    if (y) store_n(y + j, value, lanes);                                                          \
    sum += value
    OVER_COLUMNS(n, PART);
#undef PART
    return lane_sum(sum);
}

static void softmax_row(int64_t n, const float *x, float *y) {
    const vf scale = splat(1.0f / exp_row(n, x, row_max(n, x), y));
#define PART(lanes, j) store_n(y + j, load_n(y + j, lanes) * scale, lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

/* Logarithms of many rows at once: a vector takes as long as one value. */
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
#define PART(lanes, j) store_n(y + j, load_n(x + j, lanes) - max - log_sum, lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

static void softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf dot = {0};
#define PART(lanes, j) dot = vfma(load_n(y + j, lanes), load_n(dy + j, lanes), dot)
    OVER_COLUMNS(n, PART);
#undef PART
    const vf mean = splat(lane_sum(dot));
#define PART(lanes, j)                                                                            \
    store_n(dx + j, load_n(y + j, lanes) * (load_n(dy + j, lanes) - mean), lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

static void log_softmax_grad_row(int64_t n, const float *y, const float *dy, float *dx) {
    vf total = {0};
#define PART(lanes, j) total += load_n(dy + j, lanes)
    OVER_COLUMNS(n, PART);
#undef PART
    const vf sum = splat(lane_sum(total));
#define PART(lanes, j)                                                                            \
    const vf share = vexp(load_n(y + j, lanes)) * sum;                                            \
    store_n(dx + j, load_n(dy + j, lanes) - share, lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

static float weighted_sum(int64_t n, const float *x, const float *weight, float max) {
    vf sum = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vf w = weight ? load_n(weight + j, n - j) : splat(1.0f);
        sum = vfma(load_row(x + j, n - j, max) - splat(max), w, sum);
    }
    return lane_sum(sum);
}

/* Not exp(x - (max + log_sum)): if logits are large, that sum rounds log_sum away. */
static void cross_entropy_grad(int64_t rows, int64_t n, const float *x, const float *weight,
                               const float *max, const float *log_sum, const float *gain,
                               const float *smooth, float *dx) {
    for (int64_t i = 0; i < rows; i++, x += n, dx += n) {
        const vf top = splat(max[i]), log_total = splat(log_sum[i]);
        const vf factor = splat(gain[i]), share = splat(smooth[i]);
#define PART(lanes, j)                                                                            \
    const vf p = vexp(load_n(x + j, lanes) - top - log_total);                                    \
    const vf w = weight ? load_n(weight + j, lanes) : splat(1.0f);                                \
    store_n(dx + j, p * factor - w * share, lanes)
        OVER_COLUMNS(n, PART);
#undef PART
    }
}

const softmax_table TABLE(softmax) = {
    softmax_row,     log_softmax_row, softmax_grad_row,   log_softmax_grad_row,
    max_and_log_sum, weighted_sum,    cross_entropy_grad,
};

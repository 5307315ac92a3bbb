/* PReLU (He et al., "Delving deep into rectifiers", 2015), forward and back to input and slopes.
 *
 * Gradients of slopes are summed in float over GROUP values and in double beyond, so that the error
 * does not grow with their number. A NaN passes through: it is not below zero.
 */
#include "pointwise/simd/prelu.h"
#include "simd/doubles.h"
#include "simd/tail.h"

enum { GROUP = 16 };

INLINE vf prelu_of(vf x, vf slope) { return where(x > (vf){0}, x, x * slope); }

/* Adds dy * x to total where x is not above zero, and returns dx. */
INLINE vf prelu_grad(vf x, vf dy, vf slope, vf *total) {
    const vi on = x > (vf){0};
    *total += where(on, (vf){0}, dy * x);
    return where(on, dy, dy * slope);
}

static void prelu_rows(int64_t rows, int64_t n, const float *x, const float *w, float *y) {
    for (int64_t row = 0; row < rows; row++, x += n, y += n) {
#define PART(lanes, j) store_n(y + j, prelu_of(load_n(x + j, lanes), load_n(w + j, lanes)), lanes)
        OVER_COLUMNS(n, PART);
#undef PART
    }
}

static void prelu_run(int64_t n, const float *x, float slope, float *y) {
    const vf w = splat(slope);
#define PART(lanes, j) store_n(y + j, prelu_of(load_n(x + j, lanes), w), lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

/* A vector of columns: all rows of it, one after the other. */
INLINE void columns_grad(int64_t rows, int64_t n, const float *x, const float *dy, vf slope,
                         float *dx, double *sums, int64_t lanes) {
    vd sum[2] = {{0}};
    for (int64_t row = 0; row < rows; row += GROUP) {
        vf total = {0};
        for (int64_t r = row; r < rows && r < row + GROUP; r++)
            store_n(dx + r * n,
                    prelu_grad(load_n(x + r * n, lanes), load_n(dy + r * n, lanes), slope, &total),
                    lanes);
        add_double(sum, total);
    }
    memcpy(sums, sum, (size_t)lanes * sizeof *sums);
}

static void prelu_rows_grad(int64_t rows, int64_t n, const float *x, const float *dy,
                            const float *w, float *dx, double *sums) {
#define PART(lanes, j)                                                                            \
    columns_grad(rows, n, x + j, dy + j, load_n(w + j, lanes), dx + j, sums + j, lanes)
    OVER_COLUMNS(n, PART);
#undef PART
}

static double prelu_run_grad(int64_t n, const float *x, const float *dy, float slope, float *dx) {
    const vf w = splat(slope);
    vd sum[2] = {{0}};
    for (int64_t first = 0; first < n; first += GROUP * LANES) {
        const int64_t count = n - first < GROUP * LANES ? n - first : GROUP * LANES;
        const float *from = x + first, *with = dy + first;
        float *to = dx + first;
        vf total = {0};
#define PART(lanes, j)                                                                            \
    store_n(to + j, prelu_grad(load_n(from + j, lanes), load_n(with + j, lanes), w, &total), lanes)
        OVER_COLUMNS(count, PART);
#undef PART
        add_double(sum, total);
    }
    return double_sum(sum[0] + sum[1]);
}

const prelu_table TABLE(prelu) = {prelu_rows, prelu_run, prelu_rows_grad, prelu_run_grad};

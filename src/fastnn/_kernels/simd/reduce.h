/* Sums of at most a chunk: the kernel adds the chunks' sums in a fixed tree. */

static void sum_rows(int64_t rows, int64_t inner, const float *x, int64_t x_row, double *sums) {
    for (int64_t j = 0; j < inner; j++) sums[j] = 0.0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < inner; j++) sums[j] += x[i * x_row + j];
}

static double sum_run(int64_t n, const float *x) {
    double lanes[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) lanes[k] += x[i + k];
    for (int k = 0; i < n; i++, k++) lanes[k] += x[i];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* An exponent of all ones is an infinity or a NaN. */
static int all_finite_run(int64_t n, const float *x) {
    vi bad = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) bad |= ((vi)load(x + i) & 0x7f800000) == 0x7f800000;
    if (i < n) bad |= ((vi)load_head(x + i, n - i) & 0x7f800000) == 0x7f800000;
    int any = 0;
    for (int k = 0; k < LANES; k++) any |= bad[k];
    return !any;
}

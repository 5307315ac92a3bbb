/* Average pooling of one output row (forward) or some input rows (backward) of an NHWC image.
 *
 * The windows of an axis have one size and a stride, or are the bins of adaptive pooling, which
 * are the same where the sizes divide. Where windows move on by one pixel, the pixels of a row
 * make one long pixel. In the backward, neighbours under the same windows have the same gradient:
 * it is computed for the first pixel and the first row of them, and copied.
 */

/* The inputs first..end in a window, and how many it is divided by. */
typedef struct {
    int64_t first, end, count;
} pool_window;

INLINE int64_t quotient(int64_t a, int64_t b) {
    return (a | b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}

/* The window of output o, clipped to the padded input (PyTorch's size), and to the input; bin o
 * of `out` goes from floor(o * size / out) to ceil((o + 1) * size / out). */
INLINE pool_window window_at(const pool_axis *axis, int64_t o) {
    pool_window own;
    if (axis->k) {
        const int64_t start = o * axis->stride - axis->pad;
        const int64_t stop = smaller(start + axis->k, axis->size + axis->pad_end);
        own.first = larger(start, 0);
        own.end = smaller(stop, axis->size);
        own.count = axis->count_padding ? stop - start : own.end - own.first;
    } else {
        own.first = quotient(o * axis->size, axis->out);
        own.end = quotient((o + 1) * axis->size + axis->out - 1, axis->out);
        own.count = own.end - own.first;
    }
    return own;
}

/* y = sum of x[rows of y][columns of x] / divisor */
INLINE void mean_block(const float *x, int64_t w, int64_t c, pool_window rows, pool_window columns,
                       float divisor, const pool_axis *axis, float *y, int vectors,
                       int64_t lanes) {
    vf sum[4];
    if (vectors > 1 && axis->stride > 1)
        fetch_below(x + (rows.end * w + columns.first) * c, w * c, rows.end - rows.first,
                    axis->stride, c, vectors);
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = rows.first; a < rows.end; a++) {
        vf row[4]; /* a sum per row first: large windows keep their accuracy */
        for (int v = 0; v < vectors; v++) row[v] = (vf){0};
        for (int64_t b = columns.first; b < columns.end; b++)
            for (int v = 0; v < vectors; v++)
                row[v] += load_n(x + (a * w + b) * c + v * LANES, lanes);
        for (int v = 0; v < vectors; v++) sum[v] += row[v];
    }
    for (int v = 0; v < vectors; v++) store_n(y + v * LANES, sum[v] / divisor, lanes);
}

static void average_forward_row(const average_shape *g, const float *x, int64_t oy, float *y) {
    const pool_axis *axis = &g->columns;
    const pool_window rows = window_at(&g->rows, oy);
    const int64_t c = g->c, w = axis->size;
    for (int64_t ox = 0, next; ox < axis->out; ox = next) {
        const pool_window columns = window_at(axis, ox);
        const int empty = rows.first >= rows.end || columns.first >= columns.end;
        const float divisor =
            (float)(empty ? 1 : g->divisor ? g->divisor : rows.count * columns.count);
        next = ox + 1;
        if (axis->stride == 1 && ox >= axis->pad) /* until the last whole window */
            next = larger(next, smaller(axis->out, w - axis->k + axis->pad + 1));
        const int64_t line = (next - ox) * c;
        const int room = has_room(ox, axis->out, c) &&
            has_room((rows.end - 1) * w + columns.end - 1, g->rows.size * w, c);
#define BLOCK(vectors, lanes, j)                                                                  \
    mean_block(x + j, w, c, rows, columns, divisor, axis, y + ox * c + j, vectors, lanes)
        OVER_CHANNELS(line, room ? LANES : line, BLOCK);
#undef BLOCK
    }
}

/* ---- backward ---- */

/* Move `out`, the windows that hold an input before i, on to those that hold input i. */
INLINE void cover(const pool_axis *axis, int64_t i, span *out) {
    while (out->end < axis->out && window_at(axis, out->end).first <= i) out->end++;
    while (out->first < out->end && window_at(axis, out->first).end <= i) out->first++;
}

/* The end of the inputs that only the windows `out` hold, as they do input i. */
INLINE int64_t alike_until(const pool_axis *axis, span out) {
    int64_t end = axis->size;
    if (out.end < axis->out) end = smaller(end, window_at(axis, out.end).first);
    if (out.first < out.end) end = smaller(end, window_at(axis, out.first).end);
    return end;
}

/* Each of dx[pixels] = sum of dy / count over the windows oy, ox. The last `tight` pixels have no
 * room for a vector, but for `lanes` of it. */
INLINE void share_block(const average_shape *g, const float *dy, span oy, span ox, int64_t pixels,
                        int64_t tight, float *dx, int vectors, int64_t read, int64_t lanes) {
    const int64_t c = g->c;
    vf sum[4], share = {0};
    int64_t last = 0;
    for (int v = 0; v < vectors; v++) sum[v] = (vf){0};
    for (int64_t a = oy.first; a < oy.end; a++) {
        const int64_t rows = window_at(&g->rows, a).count;
        for (int64_t b = ox.first; b < ox.end; b++) {
            const int64_t count =
                g->divisor ? g->divisor : rows * window_at(&g->columns, b).count;
            const float *from = dy + (a * g->columns.out + b) * c;
            if (count != last) share = splat(1.0f / (float)count);
            last = count;
            for (int v = 0; v < vectors; v++)
                sum[v] = vfma(load_n(from + v * LANES, read), share, sum[v]);
        }
    }
    int64_t i = 0;
    for (; i < pixels - tight; i++)
        for (int v = 0; v < vectors; v++) store(dx + i * c + v * LANES, sum[v]);
    for (; i < pixels; i++)
        for (int v = 0; v < vectors; v++) store_n(dx + i * c + v * LANES, sum[v], lanes);
}

/* A row of dx, under the windows oy of the rows. */
INLINE void average_grad_row(const average_shape *g, const float *dy, span oy, float *dx) {
    const pool_axis *axis = &g->columns;
    const int64_t c = g->c;
    /* pixels before this one have room for a vector */
    const int64_t roomy = c >= LANES ? axis->size : axis->size - (LANES - 1) / c;
    span ox = {0, 0};
    for (int64_t ix = 0, next; ix < axis->size; ix = next) {
        cover(axis, ix, &ox);
        const int room =
            has_room((oy.end - 1) * axis->out + ox.end - 1, g->rows.out * axis->out, c);
        int64_t line = c, pixels = 1, moved = 1;
        if (axis->stride == 1 && ix >= axis->k - 1) /* while all windows are whole */
            moved = smaller(axis->out - axis->pad, axis->size - axis->k + 1) - ix;
        if (moved > 1) line = moved * c;
        else pixels = alike_until(axis, ox) - ix;
        next = ix + larger(moved, pixels);
        const int64_t tight = larger(0, smaller(pixels, ix + pixels - roomy));
#define BLOCK(vectors, lanes, j)                                                                  \
    share_block(g, dy + j, oy, ox, pixels, tight, dx + ix * c + j, vectors, lanes, line)
        OVER_CHANNELS(line, room ? LANES : line, BLOCK);
#undef BLOCK
        if (moved > 1) ox = (span){ox.first + moved - 1, ox.end + moved - 1};
    }
}

/* Rows first..end of dx. */
static void average_backward_rows(const average_shape *g, const float *dy, int64_t first,
                                  int64_t end, float *dx) {
    enum { NEAR = 4096 }; /* floats that are read again while they are in the first cache */
    const int64_t line = g->columns.size * g->c, most = larger(1, NEAR / line);
    span oy = {0, 0};
    for (int64_t iy = first, next; iy < end; iy = next) {
        float *row = dx + iy * line;
        cover(&g->rows, iy, &oy);
        next = smaller(end, alike_until(&g->rows, oy));
        average_grad_row(g, dy, oy, row);
        for (int64_t done = 1, count; done < next - iy; done += count) {
            count = smaller(smaller(done, most), next - iy - done);
            memcpy(row + done * line, row, (size_t)(count * line) * sizeof(float));
        }
    }
}

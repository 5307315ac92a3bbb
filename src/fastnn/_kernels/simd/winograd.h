/* Winograd's F(4x4, 3x3): 36 products where a direct 4x4 tile of outputs takes 144.
 *
 * Points 0, +-1/sqrt(2), +-sqrt(2), infinity: as cheap as 0, +-1, +-2 and better conditioned
 * (Lavin & Gray 2016; Barabasz et al. 2020). All vectors run along channels.
 */
#define ROOT_2 1.41421356237309505f
#define HALF_ROOT_2 0.70710678118654752f

/* a + k b, rounded once where the processor can. Written out, as the compiler would choose anew in
 * each place whether to: a tile must get the same bits in every variant of a pass. */
INLINE vf add_times(vf a, float k, vf b) { return vfma(splat(k), b, a); }

/* t = B^T d: coefficients of m(x) / (x - point), m = x^5 - 2.5 x^3 + x. */
INLINE void transform_6(const vf d[6], vf t[6]) {
    const vf even = add_times(d[4], -2.0f, d[2]), odd = add_times(d[3], -2.0f, d[1]);
    const vf even_2 = add_times(d[4], -0.5f, d[2]), odd_2 = add_times(d[3], -0.5f, d[1]);
    t[0] = add_times(d[0] + d[4], -2.5f, d[2]);
    t[1] = add_times(even, HALF_ROOT_2, odd);
    t[2] = add_times(even, -HALF_ROOT_2, odd);
    t[3] = add_times(even_2, ROOT_2, odd_2);
    t[4] = add_times(even_2, -ROOT_2, odd_2);
    t[5] = add_times(d[1] + d[5], -2.5f, d[3]);
}

/* t = A y: the values of y0 + y1 x + y2 x^2 + y3 x^3 at the points. */
INLINE void transform_4(const vf y[4], vf t[6]) {
    const vf even = add_times(y[0], 0.5f, y[2]), odd = add_times(y[1], 0.5f, y[3]);
    const vf even_2 = add_times(y[0], 2.0f, y[2]), odd_2 = add_times(y[1], 2.0f, y[3]);
    t[0] = y[0];
    t[1] = add_times(even, HALF_ROOT_2, odd);
    t[2] = add_times(even, -HALF_ROOT_2, odd);
    t[3] = add_times(even_2, ROOT_2, odd_2);
    t[4] = add_times(even_2, -ROOT_2, odd_2);
    t[5] = y[3];
}

/* y = A^T m. */
INLINE void inverse_6(const vf m[6], vf y[4]) {
    const vf sum = m[1] + m[2], difference = m[1] - m[2];
    const vf sum_2 = m[3] + m[4], difference_2 = m[3] - m[4];
    y[0] = (m[0] + sum) + sum_2;
    y[1] = add_times(HALF_ROOT_2 * difference, ROOT_2, difference_2);
    y[2] = add_times(0.5f * sum, 2.0f, sum_2);
    y[3] = add_times(add_times(m[5], 0.5f * HALF_ROOT_2, difference), 2.0f * ROOT_2, difference_2);
}

/* u = G w; G has the values of w0 + w1 x + w2 x^2 at the points over m'(point). */
INLINE void transform_3(const vf w[3], vf u[6]) {
    const float by = -1.0f / 1.5f, by_2 = 1.0f / 6.0f;
    const vf even = by * add_times(w[0], 0.5f, w[2]), even_2 = by_2 * add_times(w[0], 2.0f, w[2]);
    u[0] = w[0];
    u[1] = add_times(even, by * HALF_ROOT_2, w[1]);
    u[2] = add_times(even, -by * HALF_ROOT_2, w[1]);
    u[3] = add_times(even_2, by_2 * ROOT_2, w[1]);
    u[4] = add_times(even_2, -by_2 * ROOT_2, w[1]);
    u[5] = w[2];
}

/* w = G^T s. */
INLINE void inverse_3(const vf s[6], vf w[3]) {
    const float by = -1.0f / 1.5f, by_2 = 1.0f / 6.0f;
    const vf sum = s[1] + s[2], difference = s[1] - s[2];
    const vf sum_2 = s[3] + s[4], difference_2 = s[3] - s[4];
    w[0] = add_times(add_times(s[0], by, sum), by_2, sum_2);
    w[1] = add_times((by * HALF_ROOT_2) * difference, by_2 * ROOT_2, difference_2);
    w[2] = add_times(add_times(s[5], 0.5f * by, sum), 2.0f * by_2, sum_2);
}

/* A transform of both axes, columns first: GET(i, j) is a value, PUT(i, j, v) takes a result.
 * The outer loops stay loops: unrolled, GCC would keep every address in a register of its own. */
#define UNROLL_6 _Pragma("GCC unroll 6")
#define UNROLL_1 _Pragma("GCC unroll 1")
#define FIRST_AXIS(along, IN, HAS_COLUMN, GET)                                                    \
    UNROLL_1 for (int j = 0; j < (IN); j++) {                                                     \
        if (HAS_COLUMN(j)) {                                                                      \
            UNROLL_6 for (int i = 0; i < (IN); i++) line[i] = GET(i, j);                          \
            along(line, half[j]);                                                                 \
        } else {                                                                                  \
            UNROLL_6 for (int i = 0; i < 6; i++) half[j][i] = (vf){0};                            \
        }                                                                                         \
    }
#define SECOND_AXIS(along, IN, OUT, ROWS, PUT)                                                    \
    UNROLL_1 for (int i = 0; i < (ROWS); i++) {                                                   \
        UNROLL_6 for (int j = 0; j < (IN); j++) line[j] = half[j][i];                             \
        along(line, result);                                                                      \
        UNROLL_6 for (int j = 0; j < (OUT); j++) PUT(i, j, result[j]);                            \
    }
#define ALL(j) 1
#define BOTH_AXES(along, IN, OUT, GET, PUT)                                                       \
    do {                                                                                          \
        vf half[6][6], line[6], result[6];                                                        \
        FIRST_AXIS(along, IN, ALL, GET)                                                           \
        SECOND_AXIS(along, IN, OUT, OUT, PUT)                                                     \
    } while (0)

/* The pixels of a tile in its image: the first one, floats from one to the next along both axes,
 * and the rows and columns that are inside of the image. */
typedef struct {
    float *first;
    int64_t row_step, step;
    int64_t top, bottom, left, right;
    int whole;
} tile_pixels;

INLINE tile_pixels find_tile(const tile_grid *g, int64_t t, const int side, float *images) {
    int64_t j = t % g->columns * 4 - g->left, line = t / g->columns;
    int64_t i = line % g->rows * 4 - g->top, image = line / g->rows;
    tile_pixels tile = {
        .first = images + ((image * g->height + i) * g->width + j) * g->channels,
        .row_step = g->width * g->channels, .step = g->channels,
        .top = larger(0, -i), .bottom = smaller(side, g->height - i),
        .left = larger(0, -j), .right = smaller(side, g->width - j)};
    tile.whole = tile.top == 0 && tile.left == 0 && tile.bottom == side && tile.right == side;
    return tile;
}

#define AT(i, j) (tile.first + (i) * tile.row_step + (j) * tile.step + c)
#define GET_WHOLE(i, j) load(AT(i, j))
#define HAS_ROW(i) ((i) >= tile.top && (i) < tile.bottom)
#define HAS_COLUMN(j) ((j) >= tile.left && (j) < tile.right)
#define GET_PART(i, j) (HAS_ROW(i) ? load_part(AT(i, j), n) : (vf){0})
#define PUT_VALUE(i, j, v) store(out + ((i) * 6 + (j)) * to->plane, v)

/* The pixels that tile number t + AHEAD of a line touches first, asked for in time: the strides
 * of tiles are too irregular for the processor to guess. */
enum { AHEAD = 2 };
#define FETCH_AHEAD(SIDE, WRITE)                                                                  \
    for (int i = (SIDE) - 4; i < (SIDE); i++)                                                     \
        for (int j = (SIDE) - 4; j < (SIDE); j++)                                                 \
            __builtin_prefetch(AT(i, j + 4 * AHEAD), WRITE);

/* The same behind a batch norm and a ReLU: the bits of norm_apply. */
#define NORMED(v) vmax((vf){0}, norm_value((v) - mean, scale, bias))
#define GET_NORMED(i, j) NORMED(load(AT(i, j)))
#define GET_NORMED_PART(i, j) (HAS_ROW(i) ? NORMED(load_part(AT(i, j), n)) : (vf){0})

#define READ_TILES(name, SIDE, along, GET_ALL, GET_SOME)                                          \
    static void name(const tile_grid *g, const float *x, const norm_columns *norm,                \
                     int64_t channels, int64_t first, int64_t count, int64_t at,                  \
                     const tile_values *to) {                                                     \
        for (int64_t t = 0; t < count; t++) {                                                     \
            float *out = to->data + (at + t) * to->panel;                                         \
            int64_t left = to->panel; /* of the panel */                                          \
            const tile_pixels tile = find_tile(g, first + t, SIDE, (float *)x);                   \
            for (int64_t c = 0; c < channels; c += LANES, out += LANES, left -= LANES) {          \
                int64_t n = channels - c;                                                         \
                vf half[6][6], line[6], result[6];                                                \
                vf mean = {0}, scale = {0}, bias = {0};                                           \
                if (norm) {                                                                       \
                    mean = load_part(norm->mean + c, n), bias = load_part(norm->bias + c, n);     \
                    scale = load_part(norm->scale + c, n);                                        \
                }                                                                                 \
                (void)mean, (void)scale, (void)bias;                                              \
                FETCH_AHEAD(SIDE, 0)                                                              \
                if (left == 0) out += (to->tiles - 1) * to->panel, left = to->panel;              \
                if (tile.whole && n >= LANES) FIRST_AXIS(along, SIDE, ALL, GET_ALL)               \
                else FIRST_AXIS(along, SIDE, HAS_COLUMN, GET_SOME)                                \
                SECOND_AXIS(along, SIDE, 6, 6, PUT_VALUE)                                         \
            }                                                                                     \
        }                                                                                         \
    }
READ_TILES(read_tiles_6x6, 6, transform_6, GET_WHOLE, GET_PART)
READ_TILES(read_normed_6x6, 6, transform_6, GET_NORMED, GET_NORMED_PART)
READ_TILES(read_tiles_4x4, 4, transform_4, GET_WHOLE, GET_PART)

/* What write_tiles adds up of the values that it writes. */
enum { SUM_NOTHING, SUM_MOMENTS, SUM_GRADIENT };

#define GET_SUM(i, j) load(from_tile + c + ((i) * 6 + (j)) * from->plane)
#define PUT_OUTPUT(i, j, v)                                                                       \
    do {                                                                                          \
        const vf moved = (v) + shift, value = relu ? vmax(zero, moved) : moved;                   \
        float *at_pixel = AT(i, j);                                                               \
        if ((j) < tile.right) {                                                                   \
            store_part(at_pixel, value, n);                                                       \
            if (sums == SUM_MOMENTS) {                                                            \
                const vf d = value - pivot;                                                       \
                sum += d, product = vfma(d, d, product);                                          \
            }                                                                                     \
            if (sums == SUM_GRADIENT) {                                                           \
                const vf d = load_part(s->x + (at_pixel - y), n) - pivot;                         \
                const vf passed = masked(value, d, scale, bias_of_norm, s->scale != NULL);        \
                sum += passed, product = vfma(passed, d, product);                                \
            }                                                                                     \
        }                                                                                         \
    } while (0)

#define ADD_OUTPUT(i, j, v)                                                                       \
    if ((j) < tile.right) pivot += relu ? vmax(zero, (v) + shift) : (v) + shift

INLINE void write_tiles(const tile_grid *g, const tile_values *from, int64_t channels,
                        int64_t first, int64_t count, int64_t at, const float *bias, int relu,
                        float *y, const tile_sums *s, const int sums) {
    const vf zero = {0};
    for (int64_t t = 0; t < count; t++) {
        const float *from_tile = from->data + (at + t) * from->panel;
        tile_pixels tile = find_tile(g, first + t, 4, y);
        for (int64_t c = 0; c < channels; c += LANES) {
            int64_t n = channels - c;
            vf half[6][6], line[6], result[6];
            vf sum = zero, product = zero, pivot = zero, scale = zero, bias_of_norm = zero;
            const vf shift = bias ? load_part(bias + c, n) : zero;
            FETCH_AHEAD(4, 1)
            FIRST_AXIS(inverse_6, 6, ALL, GET_SUM)
            if (sums != SUM_NOTHING)
                pivot = sums == SUM_GRADIENT ? load_part(s->mean + c, n) : load(s->pivot + c);
            if (sums == SUM_MOMENTS && t == 0) {
                pivot = zero;
                SECOND_AXIS(inverse_6, 6, 4, tile.bottom, ADD_OUTPUT)
                pivot /= (float)(tile.bottom * tile.right);
                store(s->pivot + c, pivot);
            }
            if (sums == SUM_GRADIENT && s->scale)
                scale = load_part(s->scale + c, n), bias_of_norm = load_part(s->bias + c, n);
            if (tile.whole && n >= LANES) {
                tile.right = 4, n = LANES;
                SECOND_AXIS(inverse_6, 6, 4, 4, PUT_OUTPUT)
            } else {
                SECOND_AXIS(inverse_6, 6, 4, tile.bottom, PUT_OUTPUT)
            }
            if (sums == SUM_NOTHING) continue;
            /* sums of a tile, then of tiles: the error of a short sum and not of a long one */
            store(s->sum + c, t > 0 ? load(s->sum + c) + sum : sum);
            store(s->product + c, t > 0 ? load(s->product + c) + product : product);
        }
    }
}

static void write_tiles_4x4(const tile_grid *g, const tile_values *from, int64_t channels,
                            int64_t first, int64_t count, int64_t at, const float *bias, int relu,
                            float *y) {
    write_tiles(g, from, channels, first, count, at, bias, relu, y, NULL, SUM_NOTHING);
}
static void write_tiles_moments(const tile_grid *g, const tile_values *from, int64_t channels,
                                int64_t first, int64_t count, int64_t at, const float *bias,
                                int relu, float *y, const tile_sums *s) {
    write_tiles(g, from, channels, first, count, at, bias, relu, y, s, SUM_MOMENTS);
}
static void write_tiles_gradient(const tile_grid *g, const tile_values *from, int64_t channels,
                                 int64_t first, int64_t count, int64_t at, float *y,
                                 const tile_sums *s) {
    write_tiles(g, from, channels, first, count, at, NULL, 0, y, s, SUM_GRADIENT);
}

enum { PACK_DEPTH = 16 }; /* depth transformed before it is packed: the scratch stays near L1 */

#define GET_WEIGHT(i, j) load_part(from + ((i) * 3 + (j)) * depth, left)
#define PUT_SCRATCH(i, j, v) store(out + ((i) * 6 + (j)) * NR * PACK_DEPTH, v)
#define GET_TURNED(i, j) load_part(from + ((2 - (i)) * 3 + 2 - (j)) * channels, columns - c)
#define PUT_PACKED(i, j, v) store(out + ((i) * 6 + (j)) * plane, v)
#define GET_POSITION(i, j) load(from + ((i) * 6 + (j)) * plane)
#define PUT_WEIGHT(i, j, v) store_part(out + ((i) * 3 + (j)) * depth, v, depth - c)
#define ADD_WEIGHT(i, j, v)                                                                       \
    do {                                                                                          \
        float *at = out + ((i) * 3 + (j)) * depth;                                                \
        store_part(at, load_part(at, depth - c) + (v), depth - c);                                \
    } while (0)

static void pack_weights_forward(const float *w, int64_t depth, int64_t first, int64_t columns,
                                 int64_t plane, float *packed, float *scratch) {
    int64_t width = whole(columns, LANES);
    packed += first * depth;
    for (int64_t c = 0; c < depth; c += PACK_DEPTH) {
        int64_t block = smaller(PACK_DEPTH, depth - c);
        for (int64_t k = 0; k < columns; k++)
            for (int64_t q = 0; q < block; q += LANES) {
                const float *from = w + (first + k) * 9 * depth + c + q;
                float *out = scratch + k * PACK_DEPTH + q;
                int64_t left = block - q;
                BOTH_AXES(transform_3, 3, 6, GET_WEIGHT, PUT_SCRATCH);
            }
        for (int p = 0; p < POSITIONS; p++)
            pack_columns(scratch + p * NR * PACK_DEPTH, PACK_DEPTH, block, columns,
                         packed + p * plane + c * width);
    }
}

static void pack_weights_backward(const float *w, int64_t depth, int64_t channels, int64_t first,
                                  int64_t columns, int64_t plane, float *packed) {
    int64_t width = whole(columns, LANES);
    packed += first * depth;
    for (int64_t k = 0; k < depth; k++)
        for (int64_t c = 0; c < columns; c += LANES) {
            const float *from = w + k * 9 * channels + first + c;
            float *out = packed + k * width + c;
            BOTH_AXES(transform_3, 3, 6, GET_TURNED, PUT_PACKED);
        }
}

static void tile_product(int64_t tiles, int64_t depth, int64_t columns, const float *const *v,
                         int64_t v_plane, const float *packed, int64_t packed_plane,
                         float *const *m, int64_t m_plane, int64_t position, int64_t first,
                         int64_t end) {
    int64_t step = depth > BLOCK_DEPTH ? even_part(depth, BLOCK_DEPTH, 8) : depth;
    tile_job job = {.rows = tiles, .taps = 1, .a = v, .a_stride = tiles, .y = m};
    for (int64_t c = 0; c < depth; c += step) {
        job.depth = smaller(step, depth - c);
        job.a_offset = position * v_plane + c;
        job.accumulate = c > 0;
        for (int64_t q = first; q < end; q++) {
            job.columns = smaller(NR, columns - q * NR);
            job.b = packed + position * packed_plane + q * NR * depth;
            job.b_offset = c * whole(job.columns, LANES);
            job.y_offset = position * m_plane + q * NR;
            tile_panel(&job);
        }
    }
}

enum { OUTER_TILES = 192 }; /* a panel of x and a tile of dy stay in L1 */

static void tile_outer(const tile_values *dy, const tile_values *x, int64_t tiles, int64_t rows,
                       int64_t depth, int64_t position, float *sums, int64_t sums_plane,
                       int accumulate, const float **columns) {
    int64_t stride = whole(depth, LANES);
    outer_job job = {.y_stride = stride, .dy_stride = dy->panel, .dy_rows = MR};
    sums += position * sums_plane;
    for (int64_t t = 0; t < tiles; t += OUTER_TILES) {
        job.pixels = smaller(OUTER_TILES, tiles - t);
        job.x = columns + t;
        job.accumulate = accumulate || t > 0;
        for (int64_t k = 0; k < rows; k += dy->panel) {
            job.dy = dy->data + position * dy->plane + k * dy->tiles + t * dy->panel;
            for (int64_t c = 0; c < depth; c += NR) {
                job.columns = smaller(NR, stride - c);
                job.x_offset = position * x->plane + c * x->tiles;
                job.y = sums + k * stride + c;
                outer_panel(&job, smaller(dy->panel, rows - k));
            }
        }
    }
}

static void write_weight(const float *sums, int64_t plane, int64_t depth, int64_t first,
                         int64_t end, int accumulate, float *dw) {
    int64_t stride = whole(depth, LANES);
    for (int64_t k = first; k < end; k++)
        for (int64_t c = 0; c < depth; c += LANES) {
            const float *from = sums + k * stride + c;
            float *out = dw + k * 9 * depth + c;
            if (accumulate) BOTH_AXES(inverse_3, 6, 3, GET_POSITION, ADD_WEIGHT);
            else BOTH_AXES(inverse_3, 6, 3, GET_POSITION, PUT_WEIGHT);
        }
}

#define WINOGRAD_TABLE                                                                            \
    {read_tiles_6x6, read_normed_6x6, read_tiles_4x4,                                              \
     write_tiles_4x4, write_tiles_moments, write_tiles_gradient,                                   \
     pack_weights_forward, pack_weights_backward, tile_product, tile_outer, write_weight}

/* Tiles of half a vector of columns: where a processor computes a whole one in two halves (AVX-512 on
 * Zen 4), a panel of so few columns takes half the time. It is packed as for a whole vector. */
#if LEVEL_AVX512
enum { HALF = LANES / 2 };
typedef float vh __attribute__((vector_size(HALF * 4)));
typedef float vh_unaligned __attribute__((vector_size(HALF * 4), aligned(4), may_alias));

#define UNROLL_ROWS _Pragma("GCC unroll 12")

/* y[row + r][columns] for r < rows. */
INLINE void half_tile(const tile_job *g, int64_t row, const int rows) {
    vh sum[MR_1];
    UNROLL_ROWS
    for (int r = 0; r < rows; r++) sum[r] = (vh){0};
    for (int64_t t = 0; t < g->taps; t++) {
        const float *const *from = g->a + t * g->a_stride + row;
        const float *b = g->b + (g->tap ? g->tap[t].slice : t) * g->slice + g->b_offset, *a[MR_1];
        UNROLL_ROWS
        for (int r = 0; r < rows; r++) a[r] = from[r] + g->a_offset;
        for (int64_t c = 0; c < g->depth; c++, b += LANES) {
            const vh factors = *(const vh_unaligned *)b;
            UNROLL_ROWS
            for (int r = 0; r < rows; r++) sum[r] += a[r][c] * factors;
        }
    }
    UNROLL_ROWS
    for (int r = 0; r < rows; r++) {
        const vf zero = {0};
        float *y = g->y[row + r] + g->y_offset;
        vf out = _mm512_castps256_ps512(sum[r]);
        if (g->accumulate) out += load_head(y, g->columns);
        if (g->bias) out += load_head(g->bias, g->columns);
        store_head(y, g->relu ? vmax(zero, out) : out, g->columns);
    }
}

#define HALF_TAIL(r)                                                                              \
    case r:                                                                                       \
        half_tile(g, row, r);                                                                     \
        break;

static __attribute__((noinline)) void half_tile_rows(const tile_job *g) {
    int64_t row = 0;
    for (; row + MR_1 <= g->rows; row += MR_1) half_tile(g, row, MR_1);
    switch (g->rows - row) {
        HALF_TAIL(1) HALF_TAIL(2) HALF_TAIL(3) HALF_TAIL(4) HALF_TAIL(5) HALF_TAIL(6)
        HALF_TAIL(7) HALF_TAIL(8) HALF_TAIL(9) HALF_TAIL(10) HALF_TAIL(11)
    }
}
#else
enum { HALF = 0 };
INLINE void half_tile_rows(const tile_job *g) { (void)g; }
#endif

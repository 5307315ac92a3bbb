/* Weight gradients of few input channels: rows are the terms of a pixel (taps times channels), read
 * where the padded lines have them; vectors run along the channels of dy, which are read in place.
 *
 * The other way round, terms must be gathered to make vectors, and 27 of them leave part empty.
 */
#ifndef FASTNN_CONV_OUTER_TERMS_H
#define FASTNN_CONV_OUTER_TERMS_H

#include "linear/simd/outer.h"
#include "conv/simd/terms_table.h"

typedef struct {
    int64_t lines;           /* of one block of dy */
    const float *x, *dy;     /* padded; of the block's first pixel */
    int64_t x_line, x_reach; /* floats from one line to the next; of a line's pixels in all */
    int64_t x_step, dy_step; /* from one pixel to the next */
    const int64_t *offset;   /* of each term, from a pixel of x */
    int64_t columns, width;  /* of dy; floats of a row of sums */
    float *sums;             /* [term][width] */
} terms_job;

#define TERMS_LOAD(v)                                                                             \
    (whole || v + 1 < vectors ? load(dy + v * LANES) : load_head(dy + v * LANES, tail))
#define TERMS_ROW(r)                                                                              \
    const float *a##r = r < rows ? x + g->offset[term + r] : NULL;                                \
    (void)a##r;
#define TERMS_ADD(r) ROW_ADD(r, a##r[at])
#define TERMS_STORE(r)                                                                            \
    if (r < rows) {                                                                               \
        float *y = sums + r * g->width;                                                           \
        store(y, load(y) + sum##r##_0);                                                           \
        if (vectors > 1) store(y + LANES, load(y + LANES) + sum##r##_1);                          \
        if (vectors > 2) store(y + 2 * LANES, load(y + 2 * LANES) + sum##r##_2);                  \
    }

/* Terms [term, term + rows) times columns [column, column + vectors * LANES). */
INLINE void terms_tile(const terms_job *g, int64_t term, int64_t column, const int rows,
                       const int vectors, const int whole) {
    const vf zero = {0};
    const int64_t tail = g->columns - column - (vectors - 1) * LANES;
    const float *dy = g->dy + column;
    float *sums = g->sums + term * g->width + column;
    EACH_ROW(ROW_SUMS)
    for (int64_t i = 0; i < g->lines; i++) {
        const float *x = g->x + i * g->x_line;
        EACH_ROW(TERMS_ROW)
        for (int64_t at = 0; at < g->x_reach; at += g->x_step, dy += g->dy_step) {
            const vf b0 = TERMS_LOAD(0), b1 = vectors > 1 ? TERMS_LOAD(1) : b0,
                     b2 = vectors > 2 ? TERMS_LOAD(2) : b0;
            (void)b1, (void)b2;
            EACH_ROW(TERMS_ADD)
        }
    }
    EACH_ROW(TERMS_STORE)
}

#define TERMS_TAIL(r)                                                                             \
    case r:                                                                                       \
        if (r < full) terms_tile(g, term, column, r < full ? r : 1, vectors, whole);              \
        break;

INLINE void terms_rows(const terms_job *g, int64_t terms, int64_t column, const int full,
                       const int vectors, const int whole) {
    int64_t term = 0;
    for (; term + full <= terms; term += full)
        terms_tile(g, term, column, full, vectors, whole);
    switch (terms - term) {
        TERMS_TAIL(1) TERMS_TAIL(2) TERMS_TAIL(3) TERMS_TAIL(4) TERMS_TAIL(5) TERMS_TAIL(6)
        TERMS_TAIL(7) TERMS_TAIL(8) TERMS_TAIL(9) TERMS_TAIL(10) TERMS_TAIL(11)
    }
}

#define TERMS_FUNCTION(name, full, vectors)                                                       \
    static __attribute__((noinline)) void name(const terms_job *g, int64_t terms,                 \
                                               int64_t column) {                                  \
        terms_rows(g, terms, column, full, vectors, 1);                                           \
    }                                                                                             \
    static __attribute__((noinline)) void name##_part(const terms_job *g, int64_t terms,          \
                                                      int64_t column) {                           \
        terms_rows(g, terms, column, full, vectors, 0);                                           \
    }
TERMS_FUNCTION(terms_rows_1, MR_1, 1)
TERMS_FUNCTION(terms_rows_2, MR, 2)
TERMS_FUNCTION(terms_rows_all, MR, NV)

INLINE void terms_panel(const terms_job *g, int64_t terms, int64_t column) {
    int64_t columns = smaller(NR, g->columns - column);
    int whole = columns % LANES == 0;
    if (columns <= LANES) (whole ? terms_rows_1 : terms_rows_1_part)(g, terms, column);
    else if (NV > 2 && columns <= 2 * LANES)
        (whole ? terms_rows_2 : terms_rows_2_part)(g, terms, column);
    else (whole ? terms_rows_all : terms_rows_all_part)(g, terms, column);
}

/* Scratch: padded lines, the turned sums, where each term is. */
static void outer_terms(const outer_product *g, const padded_image *v, int64_t rows, int64_t line,
                        int64_t end, float *dw, char *scratch) {
    int64_t length = v->kw * v->c, terms = v->kh * length, width = whole(rows, LANES);
    int64_t most = larger(1, smaller(v->oh, OUTER_PIXELS / v->ow));
    int64_t line_floats = ((v->ow - 1) * v->stride_w + v->kw) * v->c;
    float *padded = (float *)scratch, *sums = padded + padded_floats(v, most);
    int64_t *offset = (int64_t *)(sums + terms * width);
    terms_job job = {.x = padded, .x_line = v->stride_h * line_floats,
                     .x_step = v->stride_w * v->c, .dy_step = g->dy_stride, .offset = offset,
                     .columns = rows, .width = width, .sums = sums};
    job.x_reach = v->ow * job.x_step;
    for (int64_t t = 0; t < terms; t++)
        offset[t] = t / length * v->dilation_h * line_floats + t % length;
    memset(sums, 0, (size_t)(terms * width) * 4);
    for (int64_t next; line < end; line = next) {
        int64_t image = line / v->oh, top = line % v->oh;
        next = smaller(smaller(line + most, (image + 1) * v->oh), end);
        pad_lines(v, g->x + image * v->h * v->w * v->all_channels, top, top + next - line, padded);
        job.lines = next - line;
        job.dy = g->dy + line * v->ow * g->dy_stride;
        for (int64_t column = 0; column < rows; column += NR) terms_panel(&job, terms, column);
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < terms; t++) dw[r * terms + t] = sums[t * width + r];
}

#endif

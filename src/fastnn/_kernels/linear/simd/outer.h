/* Weight gradients: sums of outer products dy[pixel] x[pixel'], a block of pixels at a time.
 *
 * A block is summed in registers from zero and then added to memory: two levels of sums, so that
 * the rounding error of a sum over 100,000 pixels stays near that of a few hundred.
 */
#ifndef FASTNN_LINEAR_OUTER_H
#define FASTNN_LINEAR_OUTER_H

#include "linear/simd/indirect.h"

typedef struct {
    int64_t pixels, columns, y_stride;
    const float *dy;
    int64_t dy_stride, dy_rows; /* floats from one pixel, or tile of rows, to the next */
    const float *const *x; /* [pixels], to be read at + x_offset */
    int whole;             /* whether whole vectors can be read there */
    int64_t x_offset;
    float *y; /* y[row * y_stride + column] */
    int accumulate;
} outer_job;

enum { OUTER_PIXELS = LANES == 16 ? 128 : 256 }; /* a packed block of x stays in L1 */

static __attribute__((noinline)) void outer_store_part(const outer_job *g, float *y, int64_t rows,
                                                       const float *sums, int64_t width) {
    for (int64_t r = 0; r < rows; r++, sums += width, y += g->y_stride)
        for (int64_t c = 0; c < g->columns; c += LANES) {
            int64_t n = smaller(LANES, g->columns - c);
            vf sum = load(sums + c);
            store_n(y + c, g->accumulate ? load_n(y + c, n) + sum : sum, n);
        }
}

INLINE void outer_store(const outer_job *g, float *y, vf sum) {
    store(y, g->accumulate ? load(y) + sum : sum);
}

#define OUTER_ADD(r) ROW_ADD(r, dy[r])
#define OUTER_STORE(r)                                                                            \
    if (r < rows) {                                                                               \
        outer_store(g, y + r * g->y_stride, sum##r##_0);                                          \
        if (vectors > 1) outer_store(g, y + r * g->y_stride + LANES, sum##r##_1);                 \
        if (vectors > 2) outer_store(g, y + r * g->y_stride + 2 * LANES, sum##r##_2);             \
    }

/* Vector v of the columns; the last one may have part of one to read. */
#define OUTER_LOAD(v)                                                                             \
    (whole || v + 1 < vectors ? load(x + v * LANES) : load_head(x + v * LANES, tail))

INLINE void outer_tile(const outer_job *g, int64_t row, const int rows, const int vectors,
                       const int whole) {
    const vf zero = {0};
    const int64_t tail = g->columns - (vectors - 1) * LANES;
    const float *dy = g->dy + row / MR * g->dy_rows;
    float *y = g->y + row * g->y_stride;
    EACH_ROW(ROW_SUMS)
    for (int64_t p = 0; p < g->pixels; p++, dy += g->dy_stride) {
        const float *x = g->x[p] + g->x_offset;
        const vf b0 = OUTER_LOAD(0), b1 = vectors > 1 ? OUTER_LOAD(1) : b0,
                 b2 = vectors > 2 ? OUTER_LOAD(2) : b0;
        (void)b1, (void)b2;
        EACH_ROW(OUTER_ADD)
    }
    if (g->columns == vectors * LANES) {
        EACH_ROW(OUTER_STORE)
    } else {
        float sums[MR_1 * NR];
        EACH_ROW(ROW_KEEP)
        outer_store_part(g, y, rows, sums, vectors * LANES);
    }
}

#define OUTER_TAIL(r) \
    case r: if (r < MR) outer_tile(g, row, r < MR ? r : 1, vectors, whole); break;

INLINE void outer_rows(const outer_job *g, int64_t rows, const int vectors, const int whole) {
    int64_t row = 0;
    for (; row + MR <= rows; row += MR) outer_tile(g, row, MR, vectors, whole);
    switch (rows - row) {
        OUTER_TAIL(1) OUTER_TAIL(2) OUTER_TAIL(3) OUTER_TAIL(4) OUTER_TAIL(5) OUTER_TAIL(6)
        OUTER_TAIL(7) OUTER_TAIL(8) OUTER_TAIL(9) OUTER_TAIL(10) OUTER_TAIL(11)
    }
}

#define OUTER_FUNCTION(name, vectors)                                                             \
    static __attribute__((noinline)) void name(const outer_job *g, int64_t rows) {                \
        outer_rows(g, rows, vectors, 1);                                                          \
    }                                                                                             \
    static __attribute__((noinline)) void name##_part(const outer_job *g, int64_t rows) {         \
        outer_rows(g, rows, vectors, 0);                                                          \
    }
OUTER_FUNCTION(outer_rows_1, 1)
OUTER_FUNCTION(outer_rows_2, 2)
OUTER_FUNCTION(outer_rows_all, NV)

INLINE void outer_panel(const outer_job *g, int64_t rows) {
    int whole = g->whole || g->columns % LANES == 0;
    if (g->columns <= LANES) (whole ? outer_rows_1 : outer_rows_1_part)(g, rows);
    else if (NV > 2 && g->columns <= 2 * LANES) (whole ? outer_rows_2 : outer_rows_2_part)(g, rows);
    else (whole ? outer_rows_all : outer_rows_all_part)(g, rows);
}

/* out[pixels][width] = the columns of x that a panel needs, zeros to the right. */
static void pack_pixels(const float *const *x, int64_t offset, int64_t pixels, int64_t columns,
                        float *__restrict out) {
    int64_t width = whole(columns, LANES);
    for (int64_t p = 0; p < pixels; p++, out += width) {
        const float *from = x[p] + offset;
        int64_t j = 0;
        for (; j + LANES <= columns; j += LANES) store(out + j, load(from + j));
        if (j < columns) store(out + j, load_head(from + j, columns - j));
    }
}

/* Columns [at, at + n) of a packed panel = n floats of each pixel. */
INLINE void pack_part(const float *const *x, int64_t offset, int64_t pixels, int64_t n, float *out,
                      int64_t width) {
    for (int64_t p = 0; p < pixels; p++, out += width) {
        const float *from = x[p] + offset;
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES) store(out + j, load(from + j));
        if (j < n) store_head(out + j, load_head(from + j, n - j), n - j);
    }
}

/* Terms [first, first + columns) of all taps side by side, zeros to the right of them. x: room for
 * pointers. */
static void pack_terms(const outer_product *g, int64_t pixel, int64_t pixels, int64_t first,
                       int64_t columns, const float **x, float *out) {
    int64_t width = whole(columns, LANES), n;
    for (int64_t p = 0; columns < width && p < pixels; p++)
        store(out + p * width + width - LANES, (vf){0});
    for (int64_t j = 0; j < columns; j += n) {
        const conv_tap *tap = g->tap + (first + j) / g->depth;
        int64_t c = (first + j) % g->depth;
        n = smaller(columns - j, g->depth - c);
        find_pixels(&g->source, g->x, g->zero, tap->offset_h, tap->offset_w, pixel, pixels, x);
        pack_part(x, c, pixels, n, out + j, width);
    }
}

/* Whether the terms of all taps are laid side by side: fewer vectors, for the price of a copy. */
INLINE int outer_flat(const outer_product *g, int64_t rows) {
    int64_t apart = g->taps * (whole(g->depth, LANES) / LANES);
    int64_t flat = whole(g->taps * g->depth, LANES) / LANES;
    return !g->apart && rows * (apart - flat) > 4 * apart; /* by regions some taps are left out */
}

/* out[tile][pixels][MR]: rows of dy as tiles read them. In place, pixels that lie a power of two
 * apart would push each other out of the caches; so a few at a time. */
static void pack_tiles(const float *const *dy, int64_t offset, int64_t pixels, int64_t rows,
                       float *__restrict out) {
    enum { FEW = 4 };
    for (int64_t first = 0; first < pixels; first += FEW)
        for (int64_t row = 0; row < rows; row += MR) {
            int64_t n = smaller(MR, rows - row);
            float *to = out + row * pixels + first * MR;
            for (int64_t p = first; p < smaller(pixels, first + FEW); p++, to += MR) {
                const float *from = dy[p] + offset + row;
                if (n == MR) memcpy(to, from, MR * 4);
                else for (int64_t r = 0; r < n; r++) to[r] = from[r];
            }
        }
}

/* Scratch: pointers to the pixels of a tap, to a packed panel of them, and to pixels of dy; that
 * panel, and the tiles of dy. */
static void outer_block(const outer_product *g, int64_t first, int64_t count, int64_t row,
                        int64_t end, float *dw, char *scratch) {
    int64_t most = smaller(count, OUTER_PIXELS);
    const float **x = (const float **)scratch, **panel = x + most, **dy = panel + most;
    float *packed = (float *)(scratch + whole(24 * most, 64));
    outer_job job = {.y_stride = g->dw_stride, .dy_stride = g->dy_stride, .dy_rows = MR};
    int tiled = g->apart || (g->dy_stride > 2 * NR && g->taps * g->depth > 2 * NR);
    float *tiles = packed + most * NR;
    /* Copying pays when rows enough read the copy. Pixels a whole 512 bytes apart fall into so few
     * sets of the first cache that in place each tile of rows would miss all of them. */
    int crowded = g->source.channels % 128 == 0;
    int flat = outer_flat(g, end - row), copy = flat || end - row > (crowded ? 2 : 4) * MR;
    int64_t runs = flat ? 1 : g->taps, run = g->taps * g->depth / larger(1, runs); /* of terms */
    job.whole = copy;
    if (count <= 0 && !g->accumulate)
        for (int64_t r = row; r < end; r++)
            for (int64_t t = 0; t < g->taps; t++)
                memset(dw + r * job.y_stride + g->tap[t].slice * g->depth, 0,
                       (size_t)g->depth * 4);
    for (int64_t p = 0; p < count; p += most) {
        job.pixels = smaller(most, count - p);
        job.dy = g->dy + (first + p) * g->dy_stride + row;
        job.accumulate = p > 0 || g->accumulate;
        if (tiled) {
            if (g->apart)
                find_pixels(&g->target, g->dy, g->dy, g->place.offset_h, g->place.offset_w,
                            first + p, job.pixels, dy);
            else
                for (int64_t i = 0; i < job.pixels; i++)
                    dy[i] = g->dy + (first + p + i) * g->dy_stride;
            pack_tiles(dy, row, job.pixels, end - row, tiles);
            job.dy = tiles;
            job.dy_stride = MR;
            job.dy_rows = job.pixels * MR;
        }
        for (int64_t t = 0; t < runs; t++) {
            if (!flat)
                find_pixels(&g->source, g->x, g->zero, g->tap[t].offset_h, g->tap[t].offset_w,
                            first + p, job.pixels, x);
            for (int64_t c = 0; c < run; c += NR) {
                job.columns = smaller(NR, run - c);
                job.x = copy ? panel : x;
                job.x_offset = copy ? 0 : c;
                if (copy) {
                    int64_t width = whole(job.columns, LANES);
                    if (flat) pack_terms(g, first + p, job.pixels, c, job.columns, x, packed);
                    else pack_pixels(x, c, job.pixels, job.columns, packed);
                    for (int64_t i = 0; i < job.pixels; i++) panel[i] = packed + i * width;
                }
                job.y = dw + row * job.y_stride + g->tap[t].slice * g->depth + c;
                outer_panel(&job, end - row);
            }
        }
    }
}

/* terms[pixel][stride] = all that the taps read, one kernel row after the other. Whole vectors
 * are copied: what a row writes too much, the next row or pixel overwrites. */
static void gather_terms(const padded_image *v, int64_t lines, const float *padded,
                         int64_t stride, float *terms) {
    pixel_grid grid = padded_grid(v, lines);
    int64_t length = v->kw * v->c, line_floats = grid.width * v->c;
    for (int64_t i = 0; i < lines; i++)
        for (int64_t j = 0; j < v->ow; j++, terms += stride)
            for (int64_t a = 0; a < v->kh; a++) {
                const float *from = padded + (i * v->stride_h + a * v->dilation_h) * line_floats +
                                    j * v->stride_w * v->c;
                for (int64_t c = 0; c < length; c += LANES)
                    store(terms + a * length + c, load(from + c));
            }
}

/* Kernel rows that fill their panels are read where they lie; others are gathered first. */
INLINE int in_place(const padded_image *v) {
    int64_t length = v->kw * v->c, panels = (v->kh * length + NR - 1) / NR;
    return 8 * v->kh * ((length + NR - 1) / NR) <= 9 * panels;
}

/* Scratch: padded lines, pointers to pixels, the terms of each pixel. */
static void outer_padded(const outer_product *g, const padded_image *v, int64_t rows, int64_t line,
                         int64_t end, float *dw, char *scratch) {
    int64_t length = v->kh * v->kw * v->c, stride = whole(length, LANES);
    int64_t most = larger(1, smaller(v->oh, OUTER_PIXELS / v->ow));
    float *padded = (float *)scratch;
    const float **x = (const float **)(scratch + 4 * padded_floats(v, most));
    float *terms = (float *)((char *)x + whole(8 * most * v->ow, 64));
    pixel_grid grid = padded_grid(v, most);
    int64_t line_floats = grid.width * v->c;
    int64_t parts = in_place(v) ? v->kh : 1, part = length / parts; /* runs of floats of a pixel */
    outer_job job = {.y_stride = length, .dy_stride = g->dy_stride, .dy_rows = MR, .x = x,
                     .whole = 1};
    if (line >= end) memset(dw, 0, (size_t)(rows * length) * 4);
    for (int64_t i = 0; i < most * v->ow; i++)
        x[i] = parts == 1 ? terms + i * stride
                          : padded + i / v->ow * v->stride_h * line_floats +
                                i % v->ow * v->stride_w * v->c;
    for (int64_t next; line < end; line = next, job.accumulate = 1) {
        int64_t image = line / v->oh, top = line % v->oh;
        next = smaller(smaller(line + most, (image + 1) * v->oh), end);
        pad_lines(v, g->x + image * v->h * v->w * v->all_channels, top, top + next - line, padded);
        if (parts == 1) gather_terms(v, next - line, padded, stride, terms);
        job.pixels = (next - line) * v->ow;
        job.dy = g->dy + line * v->ow * g->dy_stride;
        for (int64_t a = 0; a < parts; a++)
            for (int64_t c = 0; c < part; c += NR) {
                job.columns = smaller(NR, part - c);
                job.x_offset = a * v->dilation_h * line_floats + c;
                job.y = dw + a * part + c;
                outer_panel(&job, rows);
            }
    }
}

#endif

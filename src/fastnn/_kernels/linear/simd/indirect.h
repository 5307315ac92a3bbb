/* Convolution as tiles over pixels that are found through pointers, a block of pixels at a time. */
#ifndef FASTNN_LINEAR_INDIRECT_H
#define FASTNN_LINEAR_INDIRECT_H

#include "linear/simd/gemm.h"

/* out[count]: the pixels that a tap reads for pixels [first, first + count) of the grid. */
static void find_pixels(const pixel_grid *g, const float *images, const float *zero,
                        int64_t offset_h, int64_t offset_w, int64_t first, int64_t count,
                        const float **out) {
    int64_t j = first % g->columns, line = first / g->columns;
    int64_t i = line % g->rows, image = line / g->rows, step = g->step_w * g->channels;
    /* columns [low, high) of the grid fall inside the image */
    int64_t low = offset_w < 0 ? (g->step_w - 1 - offset_w) / g->step_w : 0;
    int64_t high = offset_w < g->width ? (g->width - offset_w + g->step_w - 1) / g->step_w : 0;
    while (count > 0) {
        int64_t n = smaller(count, g->columns - j), row = i * g->step_h + offset_h, q = 0;
        int64_t from = smaller(n, larger(0, low - j)), to = smaller(n, larger(from, high - j));
        if (row < 0 || row >= g->height) from = to = n;
        int64_t at = (((image * g->height + row) * g->width + offset_w) * g->channels) + j * step;
        for (; q < from; q++) out[q] = zero;
        for (; q < to; q++) out[q] = images + (at + q * step);
        for (; q < n; q++) out[q] = zero;
        out += n;
        count -= n;
        j = 0;
        if (++i == g->rows) i = 0, image++;
    }
}

/* The pixels of the target that are to be written. */
INLINE void find_targets(const conv_product *g, int64_t first, int64_t count, float **y) {
    find_pixels(&g->target, g->y, g->y, g->place.offset_h, g->place.offset_w, first, count,
                (const float **)y);
}

/* Scratch: pointers of the taps summed together, then pointers to the outputs. */
static void conv_block(const conv_product *g, int64_t first, int64_t count, int64_t panel,
                       int64_t end, char *scratch) {
    int64_t step = g->depth > BLOCK_DEPTH ? even_part(g->depth, BLOCK_DEPTH, 8) : g->depth;
    int64_t part = even_part(larger(1, g->taps), larger(1, BLOCK_DEPTH / g->depth), 1);
    float **y = (float **)scratch;
    const float **a = (const float **)y + count;
    tile_job job = {.rows = count, .a = a, .a_stride = count, .y = y};
    find_targets(g, first, count, y);
    for (int64_t t = 0; t == 0 || t < g->taps; t += part) { /* once for no taps: writes zeros */
        job.taps = smaller(part, g->taps - t);
        job.tap = g->tap + t;
        for (int64_t i = 0; i < job.taps; i++)
            find_pixels(&g->source, g->x, g->zero, g->tap[t + i].offset_h, g->tap[t + i].offset_w,
                        first, count, a + i * count);
        for (int64_t c = 0; c < g->depth; c += step) {
            int last = t + part >= g->taps && c + step >= g->depth;
            job.depth = smaller(step, g->depth - c);
            job.a_offset = c;
            job.accumulate = t > 0 || c > 0;
            job.relu = last && g->relu;
            for (int64_t q = panel; q < end; q++) {
                int64_t column = q * NR;
                job.columns = smaller(NR, g->columns - column);
                int64_t width = whole(job.columns, LANES);
                job.slice = g->depth * width;
                job.b_offset = c * width;
                job.b = g->packed + column * g->depth * g->slices;
                job.y_offset = column;
                job.bias = last && g->bias ? g->bias + column : NULL;
                tile_panel(&job);
            }
        }
    }
}

/* out[pixels][channels] = the first channels of pixels that lie `stride` floats apart. */
static void copy_channels(const float *x, int64_t stride, int64_t pixels, int64_t channels,
                          float *__restrict out) {
    if (stride == channels) memcpy(out, x, (size_t)(pixels * channels) * 4);
    else
        for (int64_t p = 0; p < pixels; p++, x += stride)
            for (int64_t c = 0; c < channels; c++) *out++ = x[c];
}

/* out: the input rows that lines [line, end) of the output read, zeros around them in place. */
static void pad_lines(const padded_image *v, const float *x, int64_t line, int64_t end,
                      float *out) {
    int64_t rows = (end - line - 1) * v->stride_h + (v->kh - 1) * v->dilation_h + 1;
    int64_t width = (v->ow - 1) * v->stride_w + v->kw;
    int64_t left = smaller(width, v->pad_left), inside = smaller(v->w, width - left);
    for (int64_t r = 0; r < rows; r++, out += width * v->c) {
        int64_t row = line * v->stride_h - v->pad_top + r;
        if (row < 0 || row >= v->h) {
            memset(out, 0, (size_t)(width * v->c) * 4);
            continue;
        }
        memset(out, 0, (size_t)(left * v->c) * 4);
        copy_channels(x + row * v->w * v->all_channels, v->all_channels, inside, v->c,
                      out + left * v->c);
        memset(out + (left + inside) * v->c, 0, (size_t)((width - left - inside) * v->c) * 4);
    }
}

/* A grid of the output pixels of lines that pad_lines has laid out; a tap is a kernel row. */
INLINE pixel_grid padded_grid(const padded_image *v, int64_t lines) {
    return (pixel_grid){
        .rows = lines, .columns = v->ow, .step_h = v->stride_h, .step_w = v->stride_w,
        .height = (lines - 1) * v->stride_h + (v->kh - 1) * v->dilation_h + 1,
        .width = (v->ow - 1) * v->stride_w + v->kw, .channels = v->c};
}

/* A kernel row is one tap here, of kw * c neighbouring floats. Scratch: the padded lines first. */
static void conv_padded(const conv_product *g, const padded_image *v, int64_t image, int64_t line,
                        int64_t end, char *scratch) {
    float *padded = (float *)scratch;
    conv_product block = *g;
    pad_lines(v, g->x + image * v->h * v->w * v->all_channels, line, end, padded);
    block.source = padded_grid(v, end - line);
    block.x = padded;
    block.y = g->y + (image * v->oh + line) * v->ow * g->target.channels;
    conv_block(&block, 0, (end - line) * v->ow, 0, (g->columns + NR - 1) / NR,
               scratch + 4 * padded_floats(v, end - line));
}

#endif

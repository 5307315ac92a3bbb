/* What pooling shares: how the channels of a pixel are cut, and which part of a window is inside. */
#ifndef FASTNN_POOL_WINDOWS_H
#define FASTNN_POOL_WINDOWS_H

#include "pool/simd/table.h"
#include "simd/sizes.h"
#include "simd/tail.h"

INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return a <= 0 ? 0 : b == 1 ? a : (a + b - 1) / b;
}

/* Run block(vectors, lanes, j) over channels j: wide blocks, then single vectors. The last one
 * begins early enough to be whole, as a block may be done twice; below LANES channels it has
 * `few` lanes: the channels, or LANES where it may go on past the pixel. */
#define OVER_CHANNELS(c, few, block)                                                              \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + 4 * LANES <= (c); j += 4 * LANES) { block(4, LANES, j); }                      \
        for (; j + LANES <= (c); j += LANES) { block(1, LANES, j); }                              \
        if (j < (c) && j) { block(1, LANES, (c) - LANES); }                                       \
        else if (j < (c)) { block(1, few, 0); }                                                   \
    } while (0)

/* Is there room for a vector at pixel i of `pixels`? What it writes past its pixel is written
 * again when the next pixel's turn comes. */
INLINE int has_room(int64_t i, int64_t pixels, int64_t c) {
    return (pixels - i) * c >= LANES;
}

/* The part [first, end) of a window of k steps that lies inside 0..size, from start. */
typedef struct {
    int64_t first, end;
} span;
INLINE span inside(int64_t start, int64_t k, int64_t step, int64_t size) {
    return (span){ceil_div(-start, step), smaller(k, ceil_div(size - start, step))};
}

/* Rows that the next row of outputs needs, to L2: steps of some pixels hide from the processor that
 * they are next. x: the first pixel that is no more read here; columns: pixels in a step. */
INLINE void fetch_below(const float *x, int64_t row, int64_t rows, int64_t columns, int64_t c,
                        int vectors) {
    for (int64_t a = 0; a < rows; a++)
        for (int64_t b = 0; b < columns; b++)
            for (int v = 0; v < vectors; v++)
                __builtin_prefetch(x + a * row + b * c + v * LANES, 0, 2);
}

#endif

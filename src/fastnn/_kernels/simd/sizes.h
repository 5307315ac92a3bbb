/* Arithmetic of sizes. */
#ifndef FASTNN_SIZES_H
#define FASTNN_SIZES_H

#include <stdint.h>

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t whole(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* The size of equal parts of n, each at most `most` (before rounding up to a multiple of unit). */
static inline int64_t even_part(int64_t n, int64_t most, int64_t unit) {
    int64_t parts = (n + most - 1) / most;
    return parts ? whole((n + parts - 1) / parts, unit) : unit;
}

#endif

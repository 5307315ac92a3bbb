/* The micro-kernels of random numbers (random.c). */
#ifndef FASTNN_RANDOM_H
#define FASTNN_RANDOM_H

#include <stdint.h>

#include "simd/levels.h"

/* y = elements first .. first + n of the stream (seed, step, node); first a multiple of 64. */
typedef void (*random_fn)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, float *y);

typedef struct {
    random_fn uniform, normal;
} random_table;

DECLARE_TABLES(random_table, random)

#endif

/* The micro-kernel of dropout (dropout.c). */
#ifndef FASTNN_DROPOUT_H
#define FASTNN_DROPOUT_H

#include <stdint.h>

#include "simd/levels.h"

typedef struct {
    /* Elements first .. first + n of the stream (seed, step, node); first a multiple of 64. */
    void (*dropout)(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                    const float *x, float *y);
} dropout_table;

DECLARE_TABLES(dropout_table, dropout)

#endif

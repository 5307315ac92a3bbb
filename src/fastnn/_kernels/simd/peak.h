/* What a processor can do at most, for benchmarks (peak.c). */
#ifndef FASTNN_PEAK_H
#define FASTNN_PEAK_H

#include <stdint.h>

#include "simd/levels.h"

enum { PEAK_CHAINS = 12 };

typedef struct {
    /* `rounds` times PEAK_CHAINS vectors of multiply-adds. */
    float (*fma_run)(int64_t rounds);
} peak_table;

DECLARE_TABLES(peak_table, peak)

#endif

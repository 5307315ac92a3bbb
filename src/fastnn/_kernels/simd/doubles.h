/* Vectors of doubles, for sums whose error must not grow with the count. */
#ifndef FASTNN_DOUBLES_H
#define FASTNN_DOUBLES_H

#include "simd/vector.h"

typedef double vd __attribute__((vector_size(LANES * 4)));
typedef float vf_half __attribute__((vector_size(LANES * 2)));
enum { VD_LANES = LANES / 2 };

/* The low and the high half of x are added to sum[0] and sum[1]. */
INLINE void add_double(vd sum[2], vf x) {
    vf_half half[2];
    memcpy(half, &x, sizeof x);
    sum[0] += __builtin_convertvector(half[0], vd);
    sum[1] += __builtin_convertvector(half[1], vd);
}

INLINE double double_sum(vd v) {
    double total = 0.0;
    for (int k = 0; k < VD_LANES; k++) total += v[k];
    return total;
}

#endif

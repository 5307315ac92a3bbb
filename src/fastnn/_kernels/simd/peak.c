/* What a processor can do at most, for benchmarks: multiply-adds in registers. */
#include "simd/peak.h"
#include "simd/vector.h"

/* `rounds` times PEAK_CHAINS vectors of multiply-adds. The chains are independent, and more than
 * latency x units on any processor we know, so none waits for another; all fit into 16 registers.
 * The values converge to 1, so none is a denormal. The result is returned so that
 * the compiler keeps the work. */
static float fma_run(int64_t rounds) {
    vf sums[PEAK_CHAINS], total = {0};
    const vf a = splat(0.75f), b = splat(0.25f);
    for (int i = 0; i < PEAK_CHAINS; i++) sums[i] = splat((float)i);
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < PEAK_CHAINS; i++) sums[i] = vfma(sums[i], a, b);
    }
    for (int i = 0; i < PEAK_CHAINS; i++) total += sums[i];
    return total[0];
}

const peak_table TABLE(peak) = {fma_run};

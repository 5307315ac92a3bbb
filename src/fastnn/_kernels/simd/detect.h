/* Which instruction-set levels this processor runs, best first, and the floating-point state. */
#ifndef FASTNN_DETECT_H
#define FASTNN_DETECT_H

#include "table.h"
#include <stddef.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
static inline const simd_table *simd_level(int rank) {
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    const simd_table *have[4] = {0};
    int n = 0;
    if (avx512) have[n++] = &simd_table_avx512;
    if (avx2) have[n++] = &simd_table_avx2;
    have[n++] = &simd_table_baseline;
    return rank < n ? have[rank] : NULL;
}
#else
static inline const simd_table *simd_level(int rank) {
    return rank == 0 ? &simd_table_neon : NULL;
}
#endif

/* Flush denormals in this thread; returns the state to put back. */
static inline uint64_t flush_denormals(void) {
#if defined(__x86_64__)
    unsigned int state = _mm_getcsr();
    _mm_setcsr(state | 0x8040);
    return state;
#else
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" : : "r"(state | (1ull << 24)));
    return state;
#endif
}

static inline void restore_denormals(uint64_t state) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned int)state);
#else
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
#endif
}

#endif

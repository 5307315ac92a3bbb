/* Which instruction-set levels this processor runs, and the floating-point state. */
#ifndef FASTNN_DETECT_H
#define FASTNN_DETECT_H

#include <stdint.h>

#include "simd/levels.h"

#define LEVEL_NUMBER_(level, lanes, ...) LEVEL_##level,
#define LEVEL_NAME_(level, lanes, ...) #level,
#define LEVEL_LANES_(level, lanes, ...) lanes,
enum { EACH_LEVEL(LEVEL_NUMBER_, ) LEVEL_COUNT };
static const char *const level_names[] = {EACH_LEVEL(LEVEL_NAME_, )};
static const int level_lanes[] = {EACH_LEVEL(LEVEL_LANES_, )};

#if defined(__x86_64__)
#include <xmmintrin.h>
static inline int has_level(int level) {
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    return level == LEVEL_avx512 ? avx512 : level == LEVEL_avx2 ? avx2 : 1;
}
#else
static inline int has_level(int level) { return level == LEVEL_neon; }
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

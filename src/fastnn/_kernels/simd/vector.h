/* The shim: one vector type per instruction set, and the few operations that need intrinsics.
 *
 * Each simd/isa_*.c defines LEVEL and LANES before it includes the bodies; all else is GCC/Clang
 * vector extensions. `vf` holds LANES floats, `vi` as many int32 (comparisons give masks of 0/-1).
 */
#ifndef FASTNN_VECTOR_H
#define FASTNN_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef float vf_unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *x) { return *(const vf_unaligned *)x; }
INLINE void store(float *y, vf v) { *(vf_unaligned *)y = v; }
INLINE vf splat(float x) { return x - (vf){0}; }

/* The first n < LANES floats, the rest zero; and their store. In pieces of fixed size, as a call of
 * memcpy would cost more than the arithmetic around it. */
#define HEAD_PIECE(size, to, from)                                                                \
    if (LANES > size && (n & size)) {                                                             \
        memcpy(to, from, size * 4);                                                               \
        i += size;                                                                                \
    }
INLINE vf load_head(const float *x, int64_t n) {
    float all[LANES] = {0};
    int64_t i = 0;
    HEAD_PIECE(8, all + i, x + i)
    HEAD_PIECE(4, all + i, x + i)
    HEAD_PIECE(2, all + i, x + i)
    HEAD_PIECE(1, all + i, x + i)
    return load(all);
}
INLINE void store_head(float *y, vf v, int64_t n) {
    float all[LANES];
    int64_t i = 0;
    store(all, v); /* memcpy would make GCC 12 keep v in memory from its birth on */
    HEAD_PIECE(8, y + i, all + i)
    HEAD_PIECE(4, y + i, all + i)
    HEAD_PIECE(2, y + i, all + i)
    HEAD_PIECE(1, y + i, all + i)
}

/* A whole vector, or the first n < LANES floats of one. */
INLINE vf load_part(const float *x, int64_t n) { return n >= LANES ? load(x) : load_head(x, n); }
INLINE void store_part(float *y, vf v, int64_t n) {
    if (n >= LANES) store(y, v);
    else store_head(y, v, n);
}

/* Lane by lane: mask ? a : b. */
INLINE vf where(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

/* max and min as a > b ? a : b and a < b ? a : b, so that a NaN in b is passed on. */
#if LEVEL_AVX512
INLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
#elif LEVEL_AVX2
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
#elif defined(__x86_64__)
INLINE vf vmax(vf a, vf b) { return _mm_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm_sqrt_ps(a); }
#else
INLINE vf vmax(vf a, vf b) { return where(a > b, a, b); }
INLINE vf vmin(vf a, vf b) { return where(a < b, a, b); }
INLINE vf vsqrt(vf a) { return vsqrtq_f32(a); }
#endif

#endif

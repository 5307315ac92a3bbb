/* The shim: one vector type per instruction set, and the few operations that need intrinsics.
 *
 * The compiler is told the level (levels.h); all else is GCC/Clang vector extensions. `vf` holds
 * LANES floats, `vi` as many int32 (comparisons give masks of 0/-1).
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

#include "simd/levels.h"

#define LANES_OF_(level, lanes, ...) LANES_OF_##level = lanes,
enum { EACH_LEVEL(LANES_OF_, ) };
#define LANES JOIN(LANES_OF, LEVEL)

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4))); /* wraps where vi may not */
typedef uint64_t vu64 __attribute__((vector_size(LANES * 4)));
typedef float vf_unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *x) { return *(const vf_unaligned *)x; }
INLINE void store(float *y, vf v) { *(vf_unaligned *)y = v; }
INLINE vf splat(float x) { return x - (vf){0}; }

/* The first n <= LANES floats, the rest zero; and their store. No other byte is touched. */
#if LEVEL_AVX512
INLINE vf load_head(const float *x, int64_t n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x);
}
INLINE void store_head(float *y, vf v, int64_t n) {
    _mm512_mask_storeu_ps(y, (__mmask16)((1u << n) - 1), v);
}
#elif LEVEL_AVX2
INLINE __m256i head_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE vf load_head(const float *x, int64_t n) { return _mm256_maskload_ps(x, head_mask(n)); }
/* In pieces, as maskstore is microcode on AMD before Zen 4: 20 cycles against 5. */
INLINE void store_head(float *y, vf v, int64_t n) {
    __m128 part = _mm256_castps256_ps128(v);
    if (n >= LANES) {
        store(y, v);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(y, part);
        part = _mm256_extractf128_ps(v, 1);
        y += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)y, part);
        part = _mm_movehl_ps(part, part);
        y += 2;
    }
    if (n & 1) _mm_store_ss(y, part);
}
#else
INLINE vf load_head(const float *x, int64_t n) {
    vf v = {0};
    for (int i = 0; i < LANES; i++)
        if (i < n) v[i] = x[i];
    return v;
}
INLINE void store_head(float *y, vf v, int64_t n) {
    for (int i = 0; i < LANES; i++)
        if (i < n) y[i] = v[i];
}
#endif

/* A whole vector, or the first n < LANES floats of one. */
INLINE vf load_n(const float *x, int64_t n) { return n >= LANES ? load(x) : load_head(x, n); }
INLINE void store_n(float *y, vf v, int64_t n) {
    if (n >= LANES) store(y, v);
    else store_head(y, v, n);
}

/* Lane i is lane index[i] of v. */
#if LEVEL_AVX512
INLINE vf pick(vf v, vi index) { return _mm512_permutexvar_ps((__m512i)index, v); }
#elif LEVEL_AVX2
INLINE vf pick(vf v, vi index) { return _mm256_permutevar8x32_ps(v, (__m256i)index); }
#else
INLINE vf pick(vf v, vi index) { return (vf){v[index[0]], v[index[1]], v[index[2]], v[index[3]]}; }
#endif

/* Lane by lane: mask ? a : b. */
INLINE vf where(vi mask, vf a, vf b) {
    return (vf)((mask & (vi)a) | (~mask & (vi)b));
}

/* vfma is a * b + c, rounded once where the processor can.
 * mul_low is the product of the low halves of 64-bit lanes.
 * max and min are a > b ? a : b and a < b ? a : b: a NaN in b is passed on. */
#if LEVEL_AVX512
INLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
INLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vu64 mul_low(vu64 a, vu64 b) { return (vu64)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
#elif LEVEL_AVX2
INLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vu64 mul_low(vu64 a, vu64 b) { return (vu64)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
#elif defined(__x86_64__)
INLINE vf vmax(vf a, vf b) { return _mm_max_ps(a, b); }
INLINE vf vmin(vf a, vf b) { return _mm_min_ps(a, b); }
INLINE vf vsqrt(vf a) { return _mm_sqrt_ps(a); }
INLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
INLINE vu64 mul_low(vu64 a, vu64 b) { return (vu64)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#else
INLINE vf vmax(vf a, vf b) { return where(a > b, a, b); }
INLINE vf vmin(vf a, vf b) { return where(a < b, a, b); }
INLINE vf vsqrt(vf a) { return vsqrtq_f32(a); }
INLINE vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vu64 mul_low(vu64 a, vu64 b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
#endif

/* Aligned stores that go past the caches, and what later stores wait for; elsewhere plain ones. */
#if LEVEL_AVX512
INLINE void store_past(float *y, vf v) { _mm512_stream_ps(y, v); }
#elif LEVEL_AVX2
INLINE void store_past(float *y, vf v) { _mm256_stream_ps(y, v); }
#elif defined(__x86_64__)
INLINE void store_past(float *y, vf v) { _mm_stream_ps(y, v); }
#else
INLINE void store_past(float *y, vf v) { store(y, v); }
#endif
#if defined(__x86_64__)
static void fence_past(void) { _mm_sfence(); }
#else
static void fence_past(void) {}
#endif

#endif

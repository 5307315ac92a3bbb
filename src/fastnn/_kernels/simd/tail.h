/* Parts of a vector: what is left of a row when its length is no multiple of LANES. */
#ifndef FASTNN_TAIL_H
#define FASTNN_TAIL_H

#include "simd/vector.h"

/* The first n lanes of v, `rest` in the others. */
INLINE vf fill_after(vf v, int64_t n, float rest) {
    vi lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return n >= LANES ? v : where(lane < (vi){0} + (int32_t)n, v, splat(rest));
}

typedef float quarter __attribute__((vector_size(16)));

INLINE float lane_sum(vf v) {
    quarter part[LANES / 4];
    memcpy(part, &v, sizeof v);
    for (int half = LANES / 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) part[i] += part[i + half];
    return (part[0][0] + part[0][2]) + (part[0][1] + part[0][3]);
}

/* The largest lane; unspecified if one is NaN. */
INLINE float lane_max(vf v) {
    quarter part[LANES / 4];
    memcpy(part, &v, sizeof v);
    for (int half = LANES / 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            for (int k = 0; k < 4; k++)
                part[i][k] = part[i][k] > part[i + half][k] ? part[i][k] : part[i + half][k];
    const float a = part[0][0] > part[0][2] ? part[0][0] : part[0][2];
    const float b = part[0][1] > part[0][3] ? part[0][1] : part[0][3];
    return a > b ? a : b;
}

/* Whole numbers 0..255, one byte each: the first n lanes, the rest zero; and their store. */
INLINE vi load_bytes(const uint8_t *x, int64_t n) {
    uint8_t part[16] = {0};
    if (n < LANES) {
        for (int64_t i = 0; i < n; i++) part[i] = x[i];
        x = part;
    }
#if LEVEL_AVX512
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)x));
#elif LEVEL_AVX2
    return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)x));
#else
    return (vi){x[0], x[1], x[2], x[3]};
#endif
}

INLINE void store_bytes(uint8_t *y, vi v, int64_t n) {
    uint8_t part[16];
    uint8_t *to = n < LANES ? part : y;
#if LEVEL_AVX512
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)v));
#elif LEVEL_AVX2
    const __m128i low = _mm256_castsi256_si128((__m256i)v);
    const __m128i words = _mm_packs_epi32(low, _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
#else
    for (int i = 0; i < LANES; i++) to[i] = (uint8_t)v[i];
#endif
    for (int64_t i = 0; n < LANES && i < n; i++) y[i] = part[i];
}

/* Run part(lanes, j) over the columns j: whole vectors, then the tail. */
#define OVER_COLUMNS(width, part)                                                                 \
    do {                                                                                          \
        int64_t j = 0;                                                                            \
        for (; j + LANES <= (width); j += LANES) { part(LANES, j); }                              \
        if (j < (width)) { part((width) - j, j); }                                                \
    } while (0)

#endif

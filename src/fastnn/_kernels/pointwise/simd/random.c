/* Random numbers, each a function of (seed, step, node, place) alone (philox.h).
 *
 * Normal ones by Box and Muller ("A note on the generation of random normal deviates", 1958): words
 * 0 and 1 of a block make two, words 2 and 3 the other two.
 */
#include "pointwise/simd/random.h"
#include "pointwise/simd/philox.h"
#include "simd/elementary.h"

/* The numbers of four vectors of words, in the same places. */
typedef void (*numbers_fn)(vi words[4], vf y[4]);

/* Whole numbers of 2^-24 in [0, 1). */
INLINE void uniform_numbers(vi words[4], vf y[4]) {
    for (int w = 0; w < 4; w++)
        y[w] = __builtin_convertvector((vi)((vu)words[w] >> 8), vf) * 5.9604644775390625e-8f;
}

/* The sine and cosine of 2 pi word / 2^32: exactly reduced to an eighth of a turn. */
INLINE vf turned(vi word, vf *cosine) {
    vi quarters = (vi)(((vu)word + 0x20000000u) >> 30);
    vf r = __builtin_convertvector((vi)((vu)word - ((vu)quarters << 30)), vf) * 1.46291808e-9f;
    vf q = r * r;
    vf s = vfma(r * q, POLYNOMIAL(q, 2.562385e-06f, -0.00019818511f, 0.008333245f, -0.16666666f),
                r);
    vf c = POLYNOMIAL(q, -2.7891457e-07f, 2.4812238e-05f, -0.0013888957f, 0.041666668f);
    c = vfma(q * q, c, vfma(q, splat(-0.5f), splat(1.0f)));
    vi odd = (quarters & 1) != 0;
    *cosine = (vf)((vi)where(odd, s, c) ^ (vi)((((vu)quarters + 1) >> 1 & 1) << 31));
    return (vf)((vi)where(odd, c, s) ^ (vi)(((vu)quarters >> 1) << 31));
}

/* Radius sqrt(-2 log u) for u = (word / 2 + 1 / 2) / 2^31, from 2^-32 to 1; and an angle. */
INLINE void normal_numbers(vi words[4], vf y[4]) {
    for (int w = 0; w < 4; w += 2) {
        vf u = __builtin_convertvector((vi)((vu)words[w] >> 1), vf) + 0.5f, n;
        vf f = log_parts(u * 4.656612873077393e-10f, &n);
        vf radius = vsqrt(vmax((vf){0}, -2.0f * log_sum(f, n))), cosine;
        vf sine = turned(words[w + 1], &cosine);
        y[w] = radius * cosine;
        y[w + 1] = radius * sine;
    }
}

INLINE void fill(int64_t first, int64_t n, const uint64_t *key_, uint32_t node, float *y,
                 numbers_fn numbers) {
    const uint64_t key[2] = {key_[0], key_[1]};
    for (int64_t i = 0; i < n; i += 64)
        for (int at = 0; at < 16; at += LANES) {
            vi words[4];
            vf values[4];
            random_words((uint64_t)(first + i) / 64, at, key, node, words);
            numbers(words, values);
            for (int w = 0; w < 4; w++) {
                const int64_t k = i + 16 * w + at, left = n - k;
                if (left >= LANES) store(y + k, values[w]);
                else if (left > 0) store_head(y + k, values[w], left);
            }
        }
}

static void uniform_run(int64_t first, int64_t n, const uint64_t *key, uint32_t node, float *y) {
    fill(first, n, key, node, y, uniform_numbers);
}
static void normal_run(int64_t first, int64_t n, const uint64_t *key, uint32_t node, float *y) {
    fill(first, n, key, node, y, normal_numbers);
}

const random_table TABLE(random) = {uniform_run, normal_run};

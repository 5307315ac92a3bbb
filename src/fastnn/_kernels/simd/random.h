/* Counter-based random numbers: Philox4x32-7 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). The number of element i depends on (seed, step, node, i) alone.
 *
 * Elements are numbered in groups of 64: element i = 64*g + 16*w + l takes word w of the block with
 * counter 16*g + l, so that vectors of 4, 8 and 16 lanes all store their words in one piece.
 */

INLINE void philox(const uint32_t counter[4], const uint32_t seed[2], uint32_t word[4]) {
    uint32_t a = counter[0], b = counter[1], c = counter[2], e = counter[3];
    uint32_t k0 = seed[0], k1 = seed[1];
    for (int round = 0; round < 7; round++) {
        uint64_t p = (uint64_t)a * 0xD2511F53u, q = (uint64_t)c * 0xCD9E8D57u;
        a = (uint32_t)(q >> 32) ^ b ^ k0;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ e ^ k1;
        e = (uint32_t)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = a, word[1] = b, word[2] = c, word[3] = e;
}

/* 64 random words: those of elements 64*group ... 64*group + 63. */
static void random_group(int64_t group, const uint64_t *key, uint32_t node, uint32_t *words) {
    const uint32_t seed[2] = {(uint32_t)key[0], (uint32_t)(key[0] >> 32)};
    for (int l = 0; l < 16; l++) {
        uint64_t block = 16 * (uint64_t)group + l;
        uint32_t counter[4] = {(uint32_t)block, node, (uint32_t)key[1],
                               (uint32_t)(key[1] >> 32) ^ (uint32_t)(block >> 32) << 16};
        uint32_t word[4];
        philox(counter, seed, word);
        for (int w = 0; w < 4; w++) words[16 * w + l] = word[w];
    }
}

static void dropout_run(int64_t first, int64_t n, const uint64_t *key, uint32_t node, double p,
                        const float *x, float *y) {
    const uint64_t threshold = (uint64_t)(p * 4294967296.0 + 0.5);
    const float scale = (float)(1.0 / (1.0 - p));
    uint32_t words[64];
    for (int64_t i = 0; i < n; i += 64) {
        random_group((first + i) / 64, key, node, words);
        for (int64_t k = 0; k < 64 && i + k < n; k++)
            y[i + k] = words[k] >= threshold ? x[i + k] * scale : 0.0f;
    }
}

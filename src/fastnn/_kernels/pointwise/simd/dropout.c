/* Dropout: which elements stay is a function of their places (philox.h). */
#include "pointwise/simd/dropout.h"
#include "pointwise/simd/philox.h"

/* y = x * scale where the word is not below the threshold, which is p in units of 2^-32. */
static void dropout_run(int64_t first, int64_t n, const uint64_t *key_, uint32_t node, double p,
                        const float *x, float *y) {
    const uint64_t key[2] = {key_[0], key_[1]}, units = (uint64_t)(p * 4294967296.0 + 0.5);
    const vf scale = splat((float)(1.0 / (1.0 - p)));
    const int32_t sign = INT32_MIN; /* flips unsigned order into signed */
    const int32_t bound = (int32_t)((uint32_t)units ^ (uint32_t)sign);
    if (units >> 32) {
        memset(y, 0, (size_t)n * 4);
        return;
    }
    for (int64_t i = 0; i < n; i += 64)
        for (int at = 0; at < 16; at += LANES) {
            vi words[4];
            random_words((uint64_t)(first + i) / 64, at, key, node, words);
            for (int w = 0; w < 4; w++) {
                const int64_t k = i + 16 * w + at, left = n - k;
                vi kept = (words[w] ^ sign) >= bound;
                if (left >= LANES) store(y + k, where(kept, load(x + k) * scale, (vf){0}));
                else if (left > 0)
                    store_head(y + k, where(kept, load_head(x + k, left) * scale, (vf){0}), left);
            }
        }
}

const dropout_table TABLE(dropout) = {dropout_run};

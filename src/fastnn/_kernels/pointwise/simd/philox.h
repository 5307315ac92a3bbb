/* Counter-based random numbers: Philox4x32-7 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). The number of element i depends on (seed, step, node, i) alone.
 *
 * Elements are numbered in groups of 64: element i = 64*g + 16*w + l takes word w of the block with
 * counter 16*g + l, so that vectors of 4, 8 and 16 lanes all store their words in one piece.
 * Key: the seed. Counter: low half of the block's number, node, low half of the step; then the
 * high half of the step, with the high half of the block's number above bit 16.
 */
#ifndef FASTNN_PHILOX_H
#define FASTNN_PHILOX_H

#include "simd/vector.h"

INLINE vu64 splat64(uint64_t x) { return x - (vu64){0}; }

/* One block in each 64-bit lane, a word in its low half; what is in the high half is of no account,
 * as mul_low reads only low halves. */
INLINE void philox(vu64 c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 7; round++) {
        vu64 p = mul_low(c[0], splat64(0xD2511F53u)), q = mul_low(c[2], splat64(0xCD9E8D57u));
        c[0] = (q >> 32) ^ c[1] ^ splat64(k0);
        c[1] = q;
        c[2] = (p >> 32) ^ c[3] ^ splat64(k1);
        c[3] = p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* words[w] of elements 64*group + 16*w + at ... + LANES. */
INLINE void random_words(uint64_t group, int at, const uint64_t *key, uint32_t node, vi words[4]) {
    vu64 even[4], odd[4], lane;
    for (int k = 0; k < LANES / 2; k++) lane[k] = (uint64_t)(2 * k);
    const uint64_t block = 16 * group + (uint64_t)at; /* no carry: a multiple of LANES */
    even[0] = lane + splat64((uint32_t)block);
    odd[0] = even[0] + splat64(1);
    even[1] = odd[1] = splat64(node);
    even[2] = odd[2] = splat64((uint32_t)key[1]);
    even[3] = odd[3] = splat64((uint32_t)((key[1] >> 32) ^ (block >> 32 << 16)));
    philox(even, (uint32_t)key[0], (uint32_t)(key[0] >> 32));
    philox(odd, (uint32_t)key[0], (uint32_t)(key[0] >> 32));
    for (int w = 0; w < 4; w++)
        words[w] = (vi)((even[w] & splat64(0xffffffffu)) | (odd[w] << 32));
}

#endif

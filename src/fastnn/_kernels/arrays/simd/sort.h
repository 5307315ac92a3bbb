/* A row's first values in order, with their places.
 *
 * Value and place become one integer whose order is theirs, so that equal values keep their order
 * whatever the algorithm.
 */
#ifndef FASTNN_ARRAYS_SORT_H
#define FASTNN_ARRAYS_SORT_H

#include <stdint.h>
#include <string.h>

#include "simd/sizes.h"

enum { RUN = 16 }; /* values that are sorted by insertion */

/* An integer in the order of floats: NaN is above all, -0 is 0. Bits, as denormals are numbers. */
static inline uint64_t sort_key(float x, int64_t place, int descending) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (bits == 0x80000000u) bits = 0;
    uint32_t rank = bits >> 31 ? ~bits : bits | 0x80000000u;
    if ((bits & 0x7fffffffu) > 0x7f800000u) rank = UINT32_MAX;
    return (uint64_t)(descending ? ~rank : rank) << 32 | (uint64_t)place;
}

/* Put `key` into its place among the first `count` of sorted keys; the last of `most` falls out. */
static inline void insert_key(uint64_t *keys, int64_t count, int64_t most, uint64_t key) {
    int64_t i = count < most ? count : most - 1;
    for (; i > 0 && keys[i - 1] > key; i--) keys[i] = keys[i - 1];
    keys[i] = key;
}

static void sort_runs(int64_t n, uint64_t *keys) {
    for (int64_t first = 0; first < n; first += RUN)
        for (int64_t i = 1; i < smaller(RUN, n - first); i++)
            insert_key(keys + first, i, RUN, keys[first + i]);
}

/* to = the merged runs a[n], b[m] */
static inline void merge_keys(const uint64_t *a, int64_t n, const uint64_t *b, int64_t m,
                              uint64_t *to) {
    const uint64_t *const end = to + n + m;
    int64_t i = 0, j = 0;
    while (i < n && j < m) {
        const int second = b[j] < a[i];
        *to++ = second ? b[j] : a[i];
        j += second;
        i += !second;
    }
    if (i < n) memcpy(to, a + i, sizeof *to * (size_t)(n - i));
    else memcpy(to, b + j, sizeof *to * (size_t)(end - to));
}

/* Sort keys[n]; `other` has as much room. Returns which of them holds the result. */
static uint64_t *sort_keys(int64_t n, uint64_t *keys, uint64_t *other) {
    sort_runs(n, keys);
    for (int64_t width = RUN; width < n; width *= 2) {
        for (int64_t first = 0; first < n; first += 2 * width) {
            const int64_t left = smaller(width, n - first);
            merge_keys(keys + first, left, keys + first + left,
                       smaller(width, n - first - left), other + first);
        }
        uint64_t *const sorted = other;
        other = keys;
        keys = sorted;
    }
    return keys;
}

static inline void write_sorted(int64_t k, const float *x, const uint64_t *keys, float *values,
                                int64_t *places) {
    for (int64_t i = 0; i < k; i++) {
        places[i] = (int64_t)(keys[i] & UINT32_MAX);
        values[i] = x[places[i]];
    }
}

/* The first k of the sorted x[n], n < 2^32. scratch: 2n keys. */
static void sort_row(int64_t n, int64_t k, const float *x, int descending, float *values,
                     int64_t *places, uint64_t *scratch) {
    for (int64_t i = 0; i < n; i++) scratch[i] = sort_key(x[i], i, descending);
    write_sorted(k, x, sort_keys(n, scratch, scratch + n), values, places);
}

/* The same for few k: most values are only compared with the last one that is kept. */
static void select_row(int64_t n, int64_t k, const float *x, int descending, float *values,
                       int64_t *places, uint64_t *scratch) {
    int64_t i = 0;
    for (; i < k; i++) insert_key(scratch, i, k, sort_key(x[i], i, descending));
    for (; i < n; i++) {
        const uint64_t key = sort_key(x[i], i, descending);
        if (key < scratch[k - 1]) insert_key(scratch, k, k, key);
    }
    write_sorted(k, x, scratch, values, places);
}

#endif

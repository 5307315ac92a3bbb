/* Matrix products as at the level avx512, for any processor and quick to compile.
 *
 * Of each vector only the first quarter is read, computed and written: it lies in the same line as
 * the rest. Sizes are whole vectors.
 */
#include <stdint.h>
#include <string.h>

#define FASTNN_VECTOR_H
#define FASTNN_TAIL_H
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 16 };
typedef float vf __attribute__((vector_size(16)));
typedef float vf_unaligned __attribute__((vector_size(16), aligned(4), may_alias));
INLINE vf load(const float *x) { return *(const vf_unaligned *)x; }
INLINE void store(float *y, vf v) { *(vf_unaligned *)y = v; }
INLINE vf splat(float x) { return x - (vf){0}; }
#define load_head(x, n) load(x)
#define load_n(x, n) load(x)
#define store_head(y, v, n) store(y, v)
#define store_n(y, v, n) store(y, v)
#define vmax(a, b) (b)
#define _mm512_castps256_ps512(v) ((vf){v[0]})

void *cache_copy(void *to, const void *from, uintptr_t bytes);
#define memcpy cache_copy

#include "linear/simd/table.h"

int rows_in_place; /* whether no rows are copied */
static int copies_unless_told(int64_t depth) { return !rows_in_place && copies_rows(depth); }
#define copies_rows copies_unless_told

#include "linear/simd/outer.h"

const linear_table wide_products = {
    .gemm = {.tile_rows = MR, .tile_columns = NR, .outer_pixels = OUTER_PIXELS,
             .pack_columns = pack_columns, .pack_rows = pack_rows, .linear = linear_block,
             .outer = outer_block},
};

#include "linear/simd/table.h"
#include "linear/simd/inner.h"
#include "linear/simd/outer.h"

const linear_table TABLE(linear) = {
    .gemm = {MR, NR, OUTER_PIXELS, pack_columns, pack_rows, linear_block, conv_block, conv_padded,
             outer_block, outer_padded},
    .inner = {inner_pack, inner_block},
};

/* Everything that is compiled once per instruction set, and the table that holds it. */
#include "vector.h"
#include "table.h"
#include "pointwise.h"
#include "gemm.h"
#include "indirect.h"
#include "outer.h"
#include "depthwise.h"

#define TABLE_NAME_(level) simd_table_##level
#define TABLE_NAME(level) TABLE_NAME_(level)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const simd_table TABLE_NAME(LEVEL) = {
    .level = TEXT(LEVEL),
    .lanes = LANES,
    .unary_count = POINTWISE(COUNT_ROW),
    .unary = {POINTWISE(UNARY_ROW)},
    .gemm = GEMM_TABLE,
};

/* Everything that is compiled once per instruction set, and the table that holds it. */
#include "vector.h"
#include "tail.h"
#include "table.h"
#include "pointwise.h"
#include "binary.h"
#include "copy.h"
#include "reduce.h"
#include "random.h"
#include "optimizer.h"
#include "norm.h"
#include "pool.h"
#include "average.h"
#include "softmax.h"
#include "gemm.h"
#include "indirect.h"
#include "inner.h"
#include "outer.h"
#include "outer_terms.h"
#include "depthwise.h"
#include "depthwise_lines.h"
#include "planar.h"
#include "winograd_tiles.h"
#include "winograd.h"
#include "winograd_strided.h"
#include "peak.h"

#define TABLE_NAME_(level) simd_table_##level
#define TABLE_NAME(level) TABLE_NAME_(level)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const simd_table TABLE_NAME(LEVEL) = {
    .level = TEXT(LEVEL),
    .lanes = LANES,
    .pool = POOL_KERNELS,
    .norm = NORM_KERNELS,
    .softmax = SOFTMAX_KERNELS,
    .unary_count = POINTWISE(COUNT_ROW),
    .unary = {POINTWISE(UNARY_ROW)},
    .binary_count = BINARY(COUNT_ROW),
    .binary = {BINARY(BINARY_ROW)},
    .optimizer_count = OPTIMIZERS(COUNT_ROW),
    .optimizer = {OPTIMIZERS(OPTIMIZER_ROW)},
    .add = add_run,
    .fill = fill_run,
    .copy_plane = copy_plane,
    .transpose = transpose,
    .copy_past = copy_past,
    .fence_past = fence_past,
    .sum_rows = sum_rows,
    .sum_run = sum_run,
    .square_sum_run = square_sum_run,
    .all_finite = all_finite_run,
    .dropout = dropout_run,
    .fma_run = fma_run,
    .gemm = GEMM_TABLE,
    .inner = INNER_TABLE,
    .lines = LINES_TABLE,
    .planar = PLANAR_TABLE,
    .winograd = WINOGRAD_TABLE,
    .winograd_strided = WINOGRAD_STRIDED_TABLE,
};

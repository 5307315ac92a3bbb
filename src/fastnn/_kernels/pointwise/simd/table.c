#include "pointwise/simd/table.h"
#include "pointwise/simd/binary.h"
#include "pointwise/simd/pointwise.h"

const pointwise_table TABLE(pointwise) = {
    .unary_count = POINTWISE(COUNT_ROW),
    .unary = {POINTWISE(UNARY_ROW)},
    .binary_count = BINARY(COUNT_ROW),
    .binary = {BINARY(BINARY_ROW)},
    .add = add_run,
    .fill = fill_run,
};

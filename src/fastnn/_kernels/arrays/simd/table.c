#include "arrays/simd/table.h"
#include "arrays/simd/copy.h"
#include "arrays/simd/reduce.h"

const arrays_table TABLE(arrays) = {
    .copy_plane = copy_plane,
    .transpose = transpose,
    .copy_past = copy_past,
    .fence_past = fence_past,
    .sum_rows = sum_rows,
    .sum_run = sum_run,
    .square_sum_run = square_sum_run,
    .all_finite = all_finite_run,
};

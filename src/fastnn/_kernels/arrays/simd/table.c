#include "arrays/simd/table.h"
#include "arrays/simd/copy.h"
#include "arrays/simd/extreme.h"
#include "arrays/simd/reduce.h"
#include "arrays/simd/scan.h"
#include "arrays/simd/sort.h"

const arrays_table TABLE(arrays) = {
    .copy_plane = copy_plane,
    .transpose = transpose,
    .copy_past = copy_past,
    .fence_past = fence_past,
    .sum_rows = sum_rows,
    .sum_run = sum_run,
    .square_sum_run = square_sum_run,
    .all_finite = all_finite_run,
    .extreme_rows = extreme_rows,
    .extreme_run = extreme_run,
    .cumsum_rows = cumsum_rows,
    .prod_rows = prod_rows,
    .prod_grad_rows = prod_grad_rows,
    .sort_row = sort_row,
    .select_row = select_row,
};

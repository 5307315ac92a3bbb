#include "norm/simd/table.h"
#include "norm/simd/norm.h"

const norm_table TABLE(norm) = {
    norm_moments, norm_apply, norm_apply_add_relu, norm_apply_both_relu, norm_sums, norm_backward};

#include "pool/simd/table.h"
#include "pool/simd/average.h"
#include "pool/simd/max_places.h"
#include "pool/simd/max_pool.h"
#include "pool/simd/max_pool_backward.h"

const pool_table TABLE(pool) = {
    max_pool_forward_row, max_pool_backward_rows, max_places_row, average_forward_row,
    average_backward_rows};

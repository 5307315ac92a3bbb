/* The micro-kernels of matrix products: gemm_table.h and inner_table.h say what each one does. */
#ifndef FASTNN_LINEAR_TABLE_H
#define FASTNN_LINEAR_TABLE_H

#include "linear/simd/gemm_table.h"
#include "linear/simd/inner_table.h"
#include "simd/levels.h"

typedef struct {
    gemm_table gemm;
    inner_table inner;
} linear_table;

DECLARE_TABLES(linear_table, linear)

#endif

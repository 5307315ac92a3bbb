/* The micro-kernels of convolutions beside those of matrix products (linear/simd/table.h). */
#ifndef FASTNN_CONV_TABLE_H
#define FASTNN_CONV_TABLE_H

#include "conv/simd/depthwise_table.h"
#include "conv/simd/lines_table.h"
#include "conv/simd/planar_table.h"
#include "conv/simd/terms_table.h"
#include "simd/levels.h"

typedef struct {
    terms_table terms;
    depthwise_table depthwise;
    lines_table lines;
    planar_table planar;
} conv_table;

DECLARE_TABLES(conv_table, conv)

#endif

#include "conv/simd/table.h"
#include "conv/simd/depthwise.h"
#include "conv/simd/depthwise_lines.h"
#include "conv/simd/outer_terms.h"
#include "conv/simd/planar.h"

const conv_table TABLE(conv) = {
    .terms = {outer_terms},
    .depthwise = {depthwise_block, depthwise_outer},
    .lines = {depthwise_lines, depthwise_lines_outer},
    .planar = {planar_conv, planar_outer},
};

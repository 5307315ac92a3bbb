#include "winograd/simd/table.h"
#include "winograd/simd/winograd.h"
#include "winograd/simd/winograd_strided.h"

const winograd_tables TABLE(winograd) = {
    .plain = {
        .planes = 36, .positions = 36, .terms = 1, .term_planes = {0},
        .read_x = read_tiles_6x6, .read_normed_x = read_normed_6x6,
        .write_y = write_tiles_4x4, .write_moments = write_tiles_moments,
        .multiply = tile_product,
        .read_dy = read_tiles_6x6, .write_dx = write_tiles_4x4,
        .write_gradient = write_tiles_gradient, .write_shortcut = write_tiles_shortcut,
        .multiply_back = tile_product,
        .read_outer_dy = read_tiles_4x4,
        .outer = outer_products, .write_weight = write_weight,
        .pack_forward = pack_weights_forward, .pack_backward = pack_weights_backward,
    },
    .strided = {
        .planes = 81, .positions = 25, .terms = 4, .term_planes = {0, 5, 45, 50},
        .read_x = read_tiles_9x9, .read_normed_x = read_normed_9x9,
        .write_y = write_strided, .write_moments = write_strided_moments,
        .multiply = strided_product,
        .read_dy = read_tiles_5x5, .write_dx = write_8x8,
        .write_gradient = write_8x8_gradient, .write_shortcut = write_8x8_shortcut,
        .multiply_back = strided_product_back,
        .read_outer_dy = read_4x4_at_5, .outer = strided_outer, .write_weight = write_strided_weight,
        .pack_forward = pack_strided_forward, .pack_backward = pack_strided_backward,
    },
};

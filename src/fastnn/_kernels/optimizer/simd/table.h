/* Optimizers (table.c): a row each. */
#ifndef FASTNN_OPTIMIZER_TABLE_H
#define FASTNN_OPTIMIZER_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

/* The step of that number of n elements: buffers[0] is the parameter, [1] the gradient, then the
 * state. */
typedef void (*optimizer_fn)(int64_t n, int64_t step, const double *hyper, float *const *buffers);

enum { OPTIMIZER_MAX = 16 };

typedef struct {
    const char *name;
    const char *hyper;  /* names of the numbers in hyper, comma separated */
    int buffers;        /* per tensor: parameter, gradient, state */
    optimizer_fn update;
} optimizer_row;
typedef struct {
    int count;
    optimizer_row rows[OPTIMIZER_MAX];
} optimizer_table;

DECLARE_TABLES(optimizer_table, optimizer)

#endif

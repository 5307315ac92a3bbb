/* Optimizers (table.c): a row each. */
#ifndef FASTNN_OPTIMIZER_TABLE_H
#define FASTNN_OPTIMIZER_TABLE_H

#include <stdint.h>
#include "simd/levels.h"

enum { OPTIMIZER_MAX = 32, OPTIMIZER_BUFFERS = 5 };

/* The step of that number of n elements: buffers[0] is the parameter, [1] the gradient, then the
 * state. */
typedef void (*optimizer_fn)(int64_t n, int64_t step, double carried, const double *hyper,
                             float *const *buffers);

typedef struct {
    const char *name;
    const char *hyper;  /* names of the numbers in hyper, comma separated */
    int buffers;        /* per tensor: parameter, gradient, state */
    int carries;        /* whether a number for each tensor is carried from step to step */
    optimizer_fn update;
    double (*carried)(int64_t step, double carried, const double *hyper); /* after that step */
} optimizer_row;
typedef struct {
    int count;
    optimizer_row rows[OPTIMIZER_MAX];
    void (*muon_direction)(int64_t n, const double *hyper, const float *g, const float *m,
                           float *y);
} optimizer_table;

DECLARE_TABLES(optimizer_table, optimizer)

#endif

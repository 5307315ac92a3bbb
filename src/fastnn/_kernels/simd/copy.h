/* Copies between layouts. */

/* y[i*y_row + j] = x[i + j*x_column]: rows of x become columns. First version: plain loops. */
static void transpose(int64_t rows, int64_t columns, const float *x, int64_t x_column, float *y,
                      int64_t y_row) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[i * y_row + j] = x[i + j * x_column];
}

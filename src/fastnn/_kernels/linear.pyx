"""Fully connected layers: y = x w^T + bias and its two gradients."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t


cdef void linear_forward(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[m,n] = x[m,k] w[n,k]^T + bias[n], then max(0, .) if relu; overwritten.

    p: x, w, bias, y, workspace.  d: m, k, n, has_bias, relu.  y overlaps nothing.
    """
    cdef int64_t m = d[0], k = d[1], n = d[2], i, j, l
    cdef const float *x = <const float *> p[0]
    cdef const float *w = <const float *> p[1]
    cdef const float *bias = <const float *> p[2]
    cdef float *y = <float *> p[3]
    cdef float total
    for i in prange(m, num_threads=threads, schedule="static",
                    use_threads_if=threads > 1 and m * k * n > 100000):
        for j in range(n):
            total = 0
            for l in range(k):
                total = total + x[i * k + l] * w[j * k + l]
            if d[3]:
                total = total + bias[j]
            y[i * n + j] = 0 if d[4] and total < 0 else total


cdef void linear_grad_input(char **p, const int64_t *d, const double *s,
                            int threads) noexcept nogil:
    """dx[m,k] = dy[m,n] w[n,k], overwritten.  p: dy, w, dx, workspace.  d: m, k, n."""
    cdef int64_t m = d[0], k = d[1], n = d[2], i, j, l
    cdef const float *dy = <const float *> p[0]
    cdef const float *w = <const float *> p[1]
    cdef float *dx = <float *> p[2]
    for i in prange(m, num_threads=threads, schedule="static",
                    use_threads_if=threads > 1 and m * k * n > 100000):
        for l in range(k):
            dx[i * k + l] = 0
        for j in range(n):
            for l in range(k):
                dx[i * k + l] += dy[i * n + j] * w[j * k + l]


cdef void linear_grad_weight(char **p, const int64_t *d, const double *s,
                             int threads) noexcept nogil:
    """dw[n,k] = dy[m,n]^T x[m,k], overwritten.  p: dy, x, dw, workspace.  d: m, k, n."""
    cdef int64_t m = d[0], k = d[1], n = d[2], i, j, l
    cdef const float *dy = <const float *> p[0]
    cdef const float *x = <const float *> p[1]
    cdef float *dw = <float *> p[2]
    for j in prange(n, num_threads=threads, schedule="static",
                    use_threads_if=threads > 1 and m * k * n > 100000):
        for l in range(k):
            dw[j * k + l] = 0
        for i in range(m):
            for l in range(k):
                dw[j * k + l] += dy[i * n + j] * x[i * k + l]


def _sizes(d):
    m, k, n = d[:3]
    if m < 0 or k < 1 or n < 1:
        raise ValueError(f"linear needs m >= 0, k >= 1 and n >= 1, not m={m}, k={k}, n={n}")
    return m, k, n


def _forward_extents(d, threads):
    m, k, n = _sizes(d)
    return 4 * m * k, 4 * n * k, 4 * n if d[3] else 0, 4 * m * n, 0


def _grad_input_extents(d, threads):
    m, k, n = _sizes(d)
    return 4 * m * n, 4 * n * k, 4 * m * k, 0


def _grad_weight_extents(d, threads):
    m, k, n = _sizes(d)
    return 4 * m * n, 4 * m * k, 4 * n * k, 0


KERNELS = {
    "linear_forward": (<uintptr_t> &linear_forward, _forward_extents),
    "linear_grad_input": (<uintptr_t> &linear_grad_input, _grad_input_extents),
    "linear_grad_weight": (<uintptr_t> &linear_grad_weight, _grad_weight_extents),
}

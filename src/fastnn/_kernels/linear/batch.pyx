"""Products of matrices, one or a batch of them: a b, a b^T and a^T b.

The gradients of each are products of these kinds, too. A batch of many matrices is dealt to the
threads; one of few goes matrix by matrix, all threads inside. Each matrix is read where it lies,
and has the bits that it has alone.
What computes one on one thread begins no parallel region, as it runs within the one of here.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.kernel cimport kernel_fn
from fastnn._kernels.linear.linear cimport (
    gradient_workspace, linear_forward, linear_grad_input, linear_grad_weight, product_workspace)
from fastnn._kernels.sizes cimport whole

from fastnn._kernels.linear import linear

cdef enum:
    SERIAL = 500000  # multiply-adds: below, starting threads costs more than it gives

# d of each kernel: batch, m, k, n, whether a and b each are one matrix for all of the batch, and m
# of the whole batch that a matrix may be part of.
cdef enum:
    BATCH, M, K, N, ONE_A, ONE_B, OF_WHOLE


cdef bint dealt(int64_t batch, int64_t macs, int threads) noexcept nogil:
    """Whether each thread takes whole matrices, of so many multiply-adds each.

    If not, they are so few that some threads would wait for others.
    """
    return threads > 1 and batch > 1 and batch * macs >= SERIAL and (
        macs < SERIAL or 8 * whole(batch, threads) <= 9 * batch)


cdef void one_matrix(kernel_fn product, char **p, const int64_t *d, const int64_t *sizes,
                     int64_t matrix, char *workspace, int threads) noexcept nogil:
    """y[m,n] of one matrix of the batch; sizes are the d of `product`."""
    cdef char *own[5]
    cdef char *a = p[0] + (0 if d[ONE_A] else 4 * matrix * d[M] * d[K])
    cdef char *b = p[1] + (0 if d[ONE_B] else 4 * matrix * d[K] * d[N])
    cdef char *y = p[2] + 4 * matrix * d[M] * d[N]
    own[0], own[1], own[2], own[3] = a, b, y, workspace
    if product == linear_forward:  # it takes a bias, too
        own[2], own[3], own[4] = NULL, y, workspace
    product(own, sizes, NULL, threads)


cdef void run_batch(kernel_fn product, char **p, const int64_t *d, const int64_t *sizes,
                    int64_t scratch_bytes, int threads) noexcept nogil:
    """scratch_bytes: of one thread that computes a matrix alone."""
    cdef int64_t matrix, batch = d[BATCH]
    if d[M] * d[N] == 0:
        return
    if d[K] == 0:
        memset(p[2], 0, 4 * batch * d[M] * d[N])
    elif dealt(batch, d[M] * d[K] * d[N], threads):
        for matrix in prange(batch, num_threads=threads, schedule="static"):
            one_matrix(product, p, d, sizes, matrix, p[3] + threadid() * scratch_bytes, 1)
    else:
        for matrix in range(batch):
            one_matrix(product, p, d, sizes, matrix, p[3], threads)


cdef void matmul(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[batch,m,n] = a[batch,m,k] b[batch,k,n], overwritten.

    p: a, b, y, workspace.  d: batch, m, k, n, one_a, one_b, m of the whole batch: one_a says that
    there is one a for all, one_b the same of b.  y overlaps nothing.
    """
    cdef int64_t[3] sizes
    sizes[0], sizes[1], sizes[2] = d[M], d[N], d[K]
    run_batch(linear_grad_input, p, d, sizes, matrix_workspace(0, d, 1), threads)


cdef void matmul_bt(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[batch,m,n] = a[batch,m,k] b[batch,n,k]^T, overwritten; p and d as of matmul."""
    cdef int64_t[6] sizes
    sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5] = d[M], d[K], d[N], 0, 0, d[OF_WHOLE]
    run_batch(linear_forward, p, d, sizes, matrix_workspace(1, d, 1), threads)


cdef void matmul_at(char **p, const int64_t *d, const double *s, int threads) noexcept nogil:
    """y[batch,m,n] = a[batch,k,m]^T b[batch,k,n], overwritten; p and d as of matmul."""
    cdef int64_t[3] sizes
    sizes[0], sizes[1], sizes[2] = d[K], d[N], d[M]
    run_batch(linear_grad_weight, p, d, sizes, matrix_workspace(2, d, 1), threads)


cdef int64_t matrix_workspace(int kind, const int64_t *d, int threads) noexcept nogil:
    """Bytes that a matrix needs: kind 0 is a b, 1 is a b^T, 2 is a^T b."""
    if d[M] * d[K] * d[N] == 0:
        return 0
    if kind == 2:
        return whole(gradient_workspace(d[K], d[N], d[M], False, threads), 64)
    return whole(product_workspace(d[M], d[K], d[N], False, threads), 64)


def _extents(int kind, d, int threads):
    batch, m, k, n, one_a, one_b, _ = d
    if min(batch, m, k, n) < 0:
        raise ValueError(
            f"matmul needs sizes of at least 0, not batch={batch}, m={m}, k={k}, n={n}")
    cdef int64_t[7] sizes
    for place, size in enumerate(d):
        sizes[place] = size
    workspace = matrix_workspace(kind, sizes, threads)
    if dealt(batch, m * k * n, threads):
        workspace = threads * matrix_workspace(kind, sizes, 1)
    return (4 * (1 if one_a else batch) * m * k, 4 * (1 if one_b else batch) * k * n,
            4 * batch * m * n, workspace)


def _loads(product, sizes, d, threads):
    batch, m, k, n = d[:4]
    if 0 in (m, k, n):
        return [0] * threads
    alone, = linear.KERNELS[product][2](sizes, 1)
    if alone == 1:  # of few rows or columns, of which it does not tell
        return [1] * threads
    if dealt(batch, m * k * n, threads):
        share, rest = divmod(batch, threads)
        return [alone * (share + (member < rest)) for member in range(threads)]
    return [batch * load for load in linear.KERNELS[product][2](sizes, threads)]


def _matmul_loads(d, threads):
    return _loads("linear_grad_input", (d[M], d[N], d[K]), d, threads)


def _bt_loads(d, threads):
    return _loads("linear_forward", (d[M], d[K], d[N]), d, threads)


def _at_loads(d, threads):
    return _loads("linear_grad_weight", (d[K], d[N], d[M]), d, threads)


KERNELS = {
    "matmul": (<uintptr_t> &matmul, lambda d, threads: _extents(0, d, threads), _matmul_loads),
    "matmul_bt": (<uintptr_t> &matmul_bt, lambda d, threads: _extents(1, d, threads), _bt_loads),
    "matmul_at": (<uintptr_t> &matmul_at, lambda d, threads: _extents(2, d, threads), _at_loads),
}

"""y = x w^T + bias and its gradients, in float64."""

import numpy as np


def linear_forward(x, w, bias=None, relu=False):
    """y[m,n] from x[m,k], w[n,k], bias[n]."""
    y = x.astype(np.float64) @ w.astype(np.float64).T
    if bias is not None:
        y += bias
    return np.maximum(y, 0) if relu else y


def linear_grad_input(dy, w):
    """dx[m,k] from dy[m,n], w[n,k]."""
    return dy.astype(np.float64) @ w.astype(np.float64)


def linear_grad_weight(dy, x):
    """dw[n,k] from dy[m,n], x[m,k]."""
    return dy.astype(np.float64).T @ x.astype(np.float64)


def matmul(a, b):
    """y[batch,m,n] from a[batch,m,k], b[batch,k,n]; either may have a batch of 1."""
    return a.astype(np.float64) @ b.astype(np.float64)

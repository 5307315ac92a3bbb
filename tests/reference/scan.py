"""Plain float64 twins of running sums, products and their gradient."""

import numpy as np


def cumsum(x: np.ndarray, reverse: bool) -> np.ndarray:
    """x [outer, size, inner] -> sums over all up to (from, if reverse) each, along the middle."""
    x = x.astype(np.float64)
    return x[:, ::-1].cumsum(1)[:, ::-1] if reverse else x.cumsum(1)


def prod(x: np.ndarray) -> np.ndarray:
    """x [outer, size, inner] -> products over the middle."""
    return x.astype(np.float64).prod(1)


def prod_backward(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """dy [outer, inner] times the product of all x of the column but one, for each."""
    x, dx = x.astype(np.float64), np.empty(x.shape)
    for i in range(x.shape[1]):
        dx[:, i] = dy * np.delete(x, i, 1).prod(1)
    return dx

"""Plain float64 twin of PReLU."""

import numpy as np


def prelu(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x [outer, channels, inner], w [channels]."""
    x, slopes = x.astype(np.float64), w.astype(np.float64)[:, None]
    return np.where(x > 0, x, x * slopes)


def prelu_grad(
    x: np.ndarray, dy: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(dx, dw), float64."""
    x, dy, slopes = x.astype(np.float64), dy.astype(np.float64), w.astype(np.float64)[:, None]
    return np.where(x > 0, dy, dy * slopes), np.where(x > 0, 0.0, dy * x).sum(axis=(0, 2))

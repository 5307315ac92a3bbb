"""Plain float64 twins of the sums."""

import numpy as np


def reduce_sum(x: np.ndarray, scale: float) -> np.ndarray:
    """x [outer, reduce, inner] -> scale * sum over reduce, float64."""
    return scale * x.astype(np.float64).sum(axis=1)


def sum_of_squares(tensors: list[np.ndarray], factors: list[float]) -> float:
    """The sum of (factor x)² over all elements, float64; the product is rounded to float32."""
    total = 0.0
    with np.errstate(over="ignore"):
        for x, factor in zip(tensors, factors, strict=True):
            scaled = x * np.float32(factor)
            total += float(np.square(scaled.astype(np.float64)).sum())
    return total

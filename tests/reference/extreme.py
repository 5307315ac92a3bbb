"""Plain twins of extremes and of values put back at their places."""

import numpy as np


def extreme(x: np.ndarray, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    """x [outer, reduce, inner] -> values, places; a NaN is beyond all, the first at a tie."""
    signed = x if largest else -x
    places = np.where(np.isnan(x), np.inf, signed).argmax(1)
    places = np.where(np.isnan(x).any(1), np.isnan(x).argmax(1), places)
    return np.take_along_axis(x, places[:, None], 1)[:, 0], places


def scatter_places(dy: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """dx[o, places[o, k, i], i] = dy[o, k, i], 0 elsewhere."""
    dx = np.zeros((dy.shape[0], size, dy.shape[2]), dy.dtype)
    np.put_along_axis(dx, places, dy, 1)
    return dx

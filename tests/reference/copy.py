"""Plain twin of the strided copy: one element after the other."""

from collections.abc import Sequence
from itertools import product

import numpy as np


def copy(x: np.ndarray, y: np.ndarray, x_offset: int, y_offset: int, shape: Sequence[int],
         x_strides: Sequence[int], y_strides: Sequence[int]) -> None:
    """y[y_offset + index . y_strides] = x[x_offset + index . x_strides] over all of shape."""
    for index in product(*(range(size) for size in shape)):
        source = x_offset + sum(i * stride for i, stride in zip(index, x_strides, strict=True))
        target = y_offset + sum(i * stride for i, stride in zip(index, y_strides, strict=True))
        y.flat[target] = x.flat[source]

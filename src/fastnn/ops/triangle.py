"""The parts of matrices above and below a diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.where import where
from fastnn.spec import ShapeError


@operation("tril")
def tril(input: Any, diagonal: int = 0) -> Tensor:
    """Matrices along the last two axes with zeros above a diagonal, whatever was there.

    diagonal: 0 for the main one, above it from 1 on, below it from -1 down.

    >>> from fastnn.graph import constant
    >>> tril(constant(np.ones((3, 3)))).shape
    (3, 3)
    """
    x = as_tensor(input)
    return where(_ones("tril", x, np.tril, diagonal), x, 0.0)


@operation("triu")
def triu(input: Any, diagonal: int = 0) -> Tensor:
    """Matrices along the last two axes with zeros below a diagonal, whatever was there.

    >>> from fastnn.graph import constant
    >>> triu(constant(np.full((3, 3), -np.inf)), diagonal=1).shape
    (3, 3)
    """
    x = as_tensor(input)
    return where(_ones("triu", x, np.triu, diagonal), x, 0.0)


def _ones(name: str, x: Tensor, part: Any, diagonal: int) -> np.ndarray:
    if x.ndim < 2:
        raise ShapeError(f"{name}: expected a matrix or several, got shape {x.shape}")
    mask: np.ndarray = part(np.ones(x.shape[-2:], np.float32), diagonal)
    return mask

"""w = g v / |v|, with a norm for each index of one axis, or one for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.graph import as_tensor
from fastnn.ops.binary import div, mul
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.reduce import sum as sum_of
from fastnn.spec import FLOAT, ShapeError


def checked_axis(dim: Any, rank: int) -> int | None:
    """The axis from 0 on; None for one norm of all, which PyTorch also calls -1."""
    if dim is None or integer(dim, "dim") == -1:
        return None
    if not -rank <= dim < rank:
        raise ShapeError(f"weight_norm: axis {dim} is outside of a weight of {rank} axes")
    return int(dim) % rank


def norms(values: np.ndarray, axis: int | None) -> np.ndarray:
    """|v| for each index of the axis, with all axes kept; without axes if it is None."""
    squares = np.square(values, dtype=np.float64)
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    kept = np.sqrt(squares.sum(others, keepdims=axis is not None))
    return np.asarray(kept, FLOAT)


def normalised(g: Any, v: Any, axis: int | None) -> Any:
    """g v / |v| as a step of the graph."""
    v = as_tensor(v)
    others = [i for i in range(v.ndim) if i != axis]
    if axis is None:
        return mul(v, div(g, FUNCTIONS["sqrt"](sum_of(FUNCTIONS["square"](v)))))
    squares = FUNCTIONS["square"](v)
    length = FUNCTIONS["sqrt"](sum_of(squares, others, keepdim=True) if others else squares)
    return mul(v, div(g, length))


def normalised_array(g: np.ndarray, v: np.ndarray, axis: int | None) -> np.ndarray:
    """g v / |v| of arrays."""
    return np.asarray(v * (g / norms(v, axis)), FLOAT)

"""Stacks: tensors one after the other along a new axis, or along one that NumPy's stacks name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.graph import Tensor
from fastnn.ops.axes import atleast_1d, atleast_2d, atleast_3d, unsqueeze
from fastnn.ops.concat import cat, tensors_of
from fastnn.ops.public import operation
from fastnn.ops.reshape import one_axis
from fastnn.spec import ShapeError


@operation()
def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis at place `dim` of the result.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> stack([constant(np.zeros((2, 3)))] * 4, dim=1).shape
    (2, 4, 3)
    """
    values = tensors_of("stack", tensors)
    for x in values[1:]:
        if x.shape != values[0].shape:
            raise ShapeError(f"stack: {x.shape} is not {values[0].shape}; all need one shape")
    axis = one_axis(values[0], dim, more=1)
    return cat([unsqueeze(x, axis) for x in values], axis)


@operation()
def hstack(tensors: Sequence[Any]) -> Tensor:
    """Tensors one after the other along axis 1; vectors along their only one."""
    values = [atleast_1d(x) for x in tensors_of("hstack", tensors)]
    return cat(values, 0 if values[0].ndim == 1 else 1)


@operation()
def vstack(tensors: Sequence[Any]) -> Tensor:
    """Tensors one after the other along axis 0; vectors as rows.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> vstack([constant(np.zeros(3)), constant(np.zeros((2, 3)))]).shape
    (3, 3)
    """
    return cat([atleast_2d(x) for x in tensors_of("vstack", tensors)], 0)


@operation()
def row_stack(tensors: Sequence[Any]) -> Tensor:
    """`vstack` by another name."""
    return vstack(tensors)


@operation()
def dstack(tensors: Sequence[Any]) -> Tensor:
    """Tensors one after the other along axis 2; matrices and vectors get one first."""
    return cat([atleast_3d(x) for x in tensors_of("dstack", tensors)], 2)


@operation()
def column_stack(tensors: Sequence[Any]) -> Tensor:
    """Tensors one after the other along axis 1; vectors as columns.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> column_stack([constant(np.zeros(3)), constant(np.zeros((3, 2)))]).shape
    (3, 3)
    """
    values = [atleast_1d(x) for x in tensors_of("column_stack", tensors)]
    return cat([unsqueeze(x, 1) if x.ndim == 1 else x for x in values], 1)

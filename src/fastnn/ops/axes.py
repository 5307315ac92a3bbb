"""Axes of size 1 that come and go, an axis cut into several, shapes taken from other tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, one_axis, reshape, sizes_of
from fastnn.spec import ShapeError


@operation("unsqueeze")
def unsqueeze(input: Any, dim: int) -> Tensor:
    """`input` with a new axis of size 1 at place `dim` of the result.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> unsqueeze(constant(np.zeros((2, 3))), -1).shape
    (2, 3, 1)
    """
    x = as_tensor(input)
    axis = one_axis(x, dim, more=1)
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


@operation("squeeze")
def squeeze(input: Any, dim: int | Sequence[int] | None = None) -> Tensor:
    """`input` without its axes of size 1: all of them, or those that `dim` names.

    An axis that `dim` names and that is longer stays.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> squeeze(constant(np.zeros((1, 3, 1))), (0, 1)).shape
    (3, 1)
    """
    x = as_tensor(input)
    if dim is None:
        named: tuple[int, ...] = tuple(range(x.ndim))
    elif isinstance(dim, SupportsIndex):
        named = (one_axis(x, dim),)
    else:
        named = check_axes(x, dim) if x.ndim else tuple(one_axis(x, axis) for axis in dim)
    return reshape(x, tuple(size for axis, size in enumerate(x.shape)
                            if size != 1 or axis not in named))


@operation("unflatten")
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Tensor:
    """`input` with the axis `dim` cut into axes of these sizes, of which one may be -1.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> unflatten(constant(np.zeros((2, 12))), 1, (3, -1)).shape
    (2, 3, 4)
    """
    x, new = as_tensor(input), sizes_of((sizes,))
    if not x.ndim or not new:
        raise ShapeError(f"unflatten: needs an axis and its sizes, got shape {x.shape} and {new}")
    axis = one_axis(x, dim)
    size, known = x.shape[axis], -math.prod(new) if -1 in new else math.prod(new)
    if new.count(-1) > 1 or min(new) < -1 or (
            size % max(known, 1) or known == 0 if -1 in new else size != known):
        raise ShapeError(f"unflatten: sizes {tuple(new)} do not multiply to {size}, axis {axis} of "
                         f"shape {x.shape}")
    new = [size // known if one == -1 else one for one in new]
    return reshape(x, (*x.shape[:axis], *new, *x.shape[axis + 1:]))


@operation("ravel")
def ravel(input: Any) -> Tensor:
    """`input` as one axis, as `flatten()`."""
    return reshape(input, -1 if as_tensor(input).size else 0)


@operation("view_as")
def view_as(input: Any, other: Any) -> Tensor:
    """`input` with the shape of `other`, as `reshape`."""
    return reshape(input, as_tensor(other).shape)


@operation("reshape_as")
def reshape_as(input: Any, other: Any) -> Tensor:
    """`input` with the shape of `other`.

    >>> from fastnn.graph import constant
    >>> import numpy as np
    >>> reshape_as(constant(np.zeros(6)), constant(np.zeros((2, 3)))).shape
    (2, 3)
    """
    return reshape(input, as_tensor(other).shape)


@operation()
def atleast_1d(input: Any) -> Tensor:
    """A scalar as (1,); all else as it is."""
    x = as_tensor(input)
    return x if x.ndim else reshape(x, 1)


@operation()
def atleast_2d(input: Any) -> Tensor:
    """A scalar as (1, 1), a vector as one row; all else as it is."""
    x = atleast_1d(input)
    return x if x.ndim > 1 else unsqueeze(x, 0)


@operation()
def atleast_3d(input: Any) -> Tensor:
    """A scalar as (1, 1, 1), a vector as (1, n, 1), a matrix as (m, n, 1); all else as it is."""
    x = atleast_2d(input)
    return x if x.ndim > 2 else unsqueeze(x, -1)

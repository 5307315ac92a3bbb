"""The axes that a reduction names, and how they lie in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from fastnn.graph import Tensor
from fastnn.ops.permute import permute
from fastnn.ops.reshape import check_axes, reshape
from fastnn.spec import FLOAT, ShapeError, Spec, storage_axes


class Chosen(NamedTuple):
    """Values of a tensor, and their places along the axis (int64), as PyTorch's return types."""

    values: Tensor
    indices: Tensor


def axes_of(x: Tensor, dim: int | Sequence[int] | None) -> tuple[int, ...]:
    """The axes that `dim` names; all of them for None and for none. A scalar has 0 and -1."""
    named = () if dim is None else (dim,) if isinstance(dim, SupportsIndex) else dim
    if x.ndim == 0:
        check_axes(reshape(x, 1), named)
        return ()
    return check_axes(x, named) or tuple(range(x.ndim))


def kept(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, ...]:
    """A shape after a reduction, its axes kept with size 1."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape))


def dropped(shape: tuple[int, ...], axes: Sequence[int], keepdim: bool) -> tuple[int, ...]:
    """A shape after a reduction, its axes kept with size 1 only if asked for."""
    return kept(shape, axes) if keepdim else tuple(
        size for axis, size in enumerate(shape) if axis not in axes)


def around(shape: tuple[int, ...], axes: Sequence[int]) -> tuple[int, int, int]:
    """(outer, middle, inner) sizes in memory; the axes lie next to each other, in the middle."""
    order = storage_axes(len(shape))
    places = [order.index(axis) for axis in axes]
    first, last = min(places), max(places)
    sizes = [shape[axis] for axis in order]
    return (math.prod(sizes[:first]), math.prod(sizes[first:last + 1]),
            math.prod(sizes[last + 1:]))


def runs(shape: tuple[int, ...], axes: Sequence[int]) -> list[tuple[int, ...]]:
    """Group the axes by runs that are contiguous in memory; axes of size 1 fit any run."""
    groups: list[list[int]] = []
    open_group = False
    for axis in storage_axes(len(shape)):
        if axis in axes:
            if not open_group:
                groups.append([])
            groups[-1].append(axis)
            open_group = True
        elif shape[axis] != 1:
            open_group = False
    return [tuple(group) for group in groups]


def together(x: Tensor, axes: Sequence[int]) -> tuple[Tensor, tuple[int, ...]]:
    """x, and its axes as one run in memory; a copy, as a matrix, if they are several."""
    if not axes:
        return reshape(x, 1), (0,)
    if len(runs(x.shape, axes)) == 1:
        return x, tuple(axes)
    others = [axis for axis in range(x.ndim) if axis not in axes]
    rows = math.prod(x.shape[axis] for axis in others)
    columns = math.prod(x.shape[axis] for axis in axes)
    return reshape(permute(x, *others, *axes), rows, columns), (1,)


def check_some(name: str, x: Spec, axes: Sequence[int]) -> None:
    """ShapeError if there is nothing along the axes."""
    if not math.prod(x.shape[axis] for axis in axes):
        raise ShapeError(f"{name} needs one element at least along axes {tuple(axes)}, got shape "
                         f"{x.shape}")


def check_dtype(name: str, dtype: Any) -> None:
    """TypeError for a dtype of results that is neither None nor float32."""
    if dtype is None:
        return
    try:
        known = np.dtype(dtype) == FLOAT
    except TypeError:
        known = False
    if not known:
        raise TypeError(f"{name}: dtype must be float32 or None, got {dtype!r}")

"""Interpolation: images and sequences of another size, as weighted sums of a few places."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, SupportsIndex

import numpy as np

from fastnn.arguments import choice, flag, real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.public import operation
from fastnn.ops.tables import Table
from fastnn.ops.take import take_all
from fastnn.ops.windows import numbers
from fastnn.spec import FLOAT, INDEX, ShapeError, check_float

RANKS = {"nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "linear": (3,), "bilinear": (4,),
         "bicubic": (4,), "trilinear": (5,), "area": (3, 4, 5)}
CUBIC = -0.75  # the slope of the cubic kernel (Keys, 1981), as in PyTorch


def _nearest(size: int, out: int, step: float, shift: float) -> Table:
    """In float32, since there PyTorch rounds down."""
    places = np.floor((np.arange(out, dtype=FLOAT) + FLOAT.type(shift)) * FLOAT.type(step))
    return Table(places.astype(INDEX).clip(0, size - 1)[:, None])


def _centers(out: int, step: float, align_corners: bool) -> np.ndarray:
    """Where the centers of the elements of y lie, in elements of x."""
    places = np.arange(out, dtype=np.float64)
    return places * step if align_corners else (places + 0.5) * step - 0.5


def _linear(size: int, out: int, step: float, align_corners: bool) -> Table:
    center = _centers(out, step, align_corners).clip(0, size - 1)
    first = np.floor(center).astype(INDEX)
    share = center - first
    index = np.stack([first, np.where(share > 0, first + 1, -1)], 1)
    return Table(index, np.stack([1 - share, share], 1).astype(FLOAT))


def _cubic(size: int, out: int, step: float, align_corners: bool) -> Table:
    center = _centers(out, step, align_corners)
    first = np.floor(center).astype(INDEX) - 1
    index = first[:, None] + np.arange(4)
    far = np.abs(center[:, None] - index)
    near = ((CUBIC + 2) * far - (CUBIC + 3)) * far * far + 1
    tail = ((CUBIC * far - 5 * CUBIC) * far + 8 * CUBIC) * far - 4 * CUBIC
    weight = np.where(far <= 1, near, np.where(far < 2, tail, 0.0))
    return Table(index.clip(0, size - 1), weight.astype(FLOAT))


def _area(size: int, out: int) -> Table:
    """The mean of the places that each element of y covers, as adaptive average pooling."""
    places = np.arange(out)
    first, last = places * size // out, -(-(places + 1) * size // out)
    index = first[:, None] + np.arange(int((last - first).max()))
    inside = index < last[:, None]
    weight = np.where(inside, 1.0 / (last - first)[:, None], 0.0)
    return Table(np.where(inside, index, -1).astype(INDEX), weight.astype(FLOAT))


@lru_cache(maxsize=64)
def table(mode: str, size: int, out: int, scale: float | None, align_corners: bool) -> Table:
    """The table of one axis; scale: the user's factor, or None for out / size."""
    if mode == "area":
        return _area(size, out)
    step = size / out if scale is None else 1.0 / scale
    if align_corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    if mode.startswith("nearest"):
        return _nearest(size, out, step, 0.5 if mode == "nearest-exact" else 0.0)
    if size == out and (align_corners or step == 1.0):
        return Table(np.arange(size)[:, None])
    return (_cubic if mode == "bicubic" else _linear)(size, out, step, align_corners)


def _sizes(
    x: Tensor, size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], list[float | None]]:
    """The output's sizes, and the factor that places go by along each axis."""
    axes = x.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give one of size and scale_factor, got "
                         f"size={size}, scale_factor={scale_factor}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor needs a scale_factor")
        given = (size,) * axes if isinstance(size, SupportsIndex) else size
        return numbers(given, "size", 1, axes), [None] * axes
    try:
        some = [scale_factor] * axes if isinstance(scale_factor, (int, float)) else [*scale_factor]
    except TypeError:
        some = [scale_factor] * axes
    if len(some) != axes:
        raise ShapeError(f"interpolate: scale_factor {scale_factor} does not fit the {axes} axes "
                         f"after the channels of {x.shape}")
    factors = [real(factor, "scale_factor", "a number above 0", above=0) for factor in some]
    out = tuple(math.floor(n * factor) for n, factor in zip(x.shape[2:], factors, strict=True))
    if not all(out):
        raise ShapeError(f"interpolate: scale_factor {scale_factor} leaves nothing of {x.shape}")
    return out, [None] * axes if recompute else list(factors)


@operation()
def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """input with another size, as torch.nn.functional.interpolate.

    input: (batch, channels, length), (.., height, width) or (.., depth, height, width). size: of
    the axes after the channels; or scale_factor, numbers by which they grow (rounded down).
    mode: "nearest", "nearest-exact", "linear" (sequences), "bilinear" and "bicubic" (images),
    "trilinear" (volumes), "area". align_corners: whether the first and last element of input and
    output are at one place, rather than the edges of their areas. recompute_scale_factor: whether
    places follow from the sizes, not from scale_factor. antialias is refused.

    >>> from fastnn.graph import constant
    >>> x = constant(np.zeros((1, 3, 4, 4)))
    >>> interpolate(x, scale_factor=2, mode="bilinear").shape
    (1, 3, 8, 8)
    """
    x = as_tensor(input)
    choice(mode, "mode", tuple(RANKS))
    if x.ndim not in RANKS[mode]:
        raise ShapeError(f"interpolate: mode {mode!r} takes inputs of rank "
                         f"{' or '.join(map(str, RANKS[mode]))}, (batch, channels, ...), got shape "
                         f"{x.shape}")
    check_float("interpolate", x.spec)
    if flag(antialias, "antialias"):
        raise ValueError("interpolate: antialias is not supported; resize images before training")
    if align_corners is not None and mode not in ("linear", "bilinear", "bicubic", "trilinear"):
        raise ValueError(f"interpolate: mode {mode!r} takes no align_corners")
    if not x.numel():
        raise ShapeError(f"interpolate: input {x.shape} has no elements")
    aligned = align_corners is not None and flag(align_corners, "align_corners")
    recompute = recompute_scale_factor is not None and flag(recompute_scale_factor,
                                                            "recompute_scale_factor")
    out, factors = _sizes(x, size, scale_factor, recompute)
    tables = [table(mode, n, m, factor, aligned)
              for n, m, factor in zip(x.shape[2:], out, factors, strict=True)]
    return take_all(x, range(2, x.ndim), tables)


@operation()
def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its older name.

    >>> from fastnn.graph import constant
    >>> upsample(constant(np.zeros((1, 3, 4))), scale_factor=3).shape
    (1, 3, 12)
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


@operation()
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` to the nearest element.

    >>> from fastnn.graph import constant
    >>> upsample_nearest(constant(np.zeros((1, 3, 4, 4))), 7).shape
    (1, 3, 7, 7)
    """
    return interpolate(input, size, scale_factor, "nearest")


@operation()
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` of images between four pixels, corners aligned.

    >>> from fastnn.graph import constant
    >>> upsample_bilinear(constant(np.zeros((1, 3, 4, 4))), 7).shape
    (1, 3, 7, 7)
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)

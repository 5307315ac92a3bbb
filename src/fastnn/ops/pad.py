"""Padding, flips and rolls: elements of each axis in another order, some twice, some left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arguments import choice, real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.getitem import getitem
from fastnn.ops.public import operation
from fastnn.ops.reshape import check_axes, reshape, sizes_of
from fastnn.ops.tables import Table
from fastnn.ops.take import take_all
from fastnn.spec import INDEX, ShapeError

MODES = ("constant", "reflect", "replicate", "circular")


def _places(mode: str, size: int, before: int, after: int) -> np.ndarray:
    """The place of each element of a padded axis; outside where it is the constant."""
    places = np.arange(-before, size + after, dtype=INDEX)
    if mode == "replicate":
        return places.clip(0, size - 1)
    if mode == "circular":  # what is left after cutting off goes round
        start, left = max(-before, 0), size + min(before, 0) + min(after, 0)
        return (places - start) % max(left, 1) + start
    if mode == "reflect":
        turned = np.abs(places)
        return np.asarray(size - 1 - np.abs(size - 1 - turned))
    return places


def _padded(x: Tensor, pairs: Sequence[tuple[int, int]], mode: str, value: float) -> Tensor:
    axes = [axis for axis, pair in enumerate(pairs) if pair != (0, 0)]
    tables = [Table(_places(mode, x.shape[axis], *pairs[axis])[:, None]) for axis in axes]
    return take_all(x, axes, tables, value)


def constant_pad(x: Tensor, pairs: Sequence[tuple[int, int]], value: float) -> Tensor:
    """x with a pair (before, after) of elements of `value` more along each axis."""
    return _padded(x, pairs, "constant", value)


def _pairs(x: Tensor, pad: Any) -> list[tuple[int, int]]:
    """(before, after) of each axis, from PyTorch's list that starts with the last axis."""
    try:
        flat = sizes_of([pad])
    except TypeError:
        raise TypeError(f"pad: pad must be a list of integers, got {pad!r:.80}") from None
    if len(flat) % 2 or len(flat) > 2 * x.ndim:
        raise ShapeError(f"pad: pad must be pairs (before, after) for at most {x.ndim} axes of "
                         f"{x.shape}, the last axis first, got {tuple(flat)}")
    pairs = [(0, 0)] * x.ndim
    for number in range(len(flat) // 2):
        pairs[x.ndim - 1 - number] = flat[2 * number], flat[2 * number + 1]
    return pairs


def _check_pairs(x: Tensor, pairs: Sequence[tuple[int, int]], mode: str) -> None:
    for axis, (before, after) in enumerate(pairs):
        size = x.shape[axis]
        if (before, after) == (0, 0):
            continue
        if size + before + after < (1 if mode != "constant" else 0):
            raise ShapeError(f"pad: {(before, after)} leaves nothing of axis {axis} of {x.shape}")
        most = {"reflect": size - 1, "circular": size}.get(mode)
        if most is not None and max(before, after) > most:
            raise ShapeError(f"pad: mode {mode!r} adds at most {most} elements to axis {axis} of "
                             f"{x.shape}, got {(before, after)}")
        if mode == "replicate" and not size:
            raise ShapeError(f"pad: axis {axis} of {x.shape} has no element to repeat")


@operation()
def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """input with elements added before and after each axis, as torch.nn.functional.pad.

    pad: (before, after) of the last axis, then of the one before it, and so on; negative numbers
    cut off. mode: "constant" (`value`, 0 by default), "reflect" (mirrored at the first and last
    element), "replicate" (these repeated) or "circular".

    >>> from fastnn.graph import constant
    >>> x = constant(np.zeros((1, 3, 4, 4)))
    >>> pad(x, (1, 1, 2, 0), mode="reflect").shape
    (1, 3, 6, 6)
    """
    x = as_tensor(input)
    mode = choice(mode, "mode", MODES)
    pairs = _pairs(x, pad)
    _check_pairs(x, pairs, mode)
    if mode != "constant" and value not in (None, 0):
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value!r}")
    number = 0.0 if value is None else real(value, "value")
    if number and x.dtype == INDEX:
        raise TypeError(f"pad: integers are padded with 0, not {value!r}; write x.float()")
    return _padded(x, pairs, mode, number)


@operation("flip")
def flip(input: Any, *axes: Any, dims: Any = ()) -> Tensor:
    """input with the order of elements turned around along axes: flip(x, (0, 1)) or flip(x, 0, 1).

    >>> from fastnn.graph import constant
    >>> flip(constant(np.zeros((2, 3))), (0, 1)).shape
    (2, 3)
    """
    x = as_tensor(input)
    named = sizes_of(axes or (dims,))
    turned = check_axes(x, named) if x.ndim else ()
    if not turned or not x.numel():
        return x
    return getitem(x, tuple(slice(None, None, -1 if axis in turned else 1)
                            for axis in range(x.ndim)))


@operation("roll")
def roll(input: Any, shifts: Any, dims: Any = None) -> Tensor:
    """input with its elements moved by `shifts` places along the axes `dims`, as torch.roll.

    What leaves at one end comes back at the other. Without dims, the flattened input is moved.

    >>> from fastnn.graph import constant
    >>> roll(constant(np.zeros((2, 3))), (1, -1), (0, 1)).shape
    (2, 3)
    """
    x = as_tensor(input)
    if not x.numel():
        return x
    moves = sizes_of((shifts,))
    axes = [] if dims is None else sizes_of((dims,))
    if not axes and len(moves) == 1:
        return reshape(roll(reshape(x, x.numel()), moves[0], 0), *x.shape)
    if len(moves) != len(axes):
        raise ShapeError(f"roll: {len(moves)} shifts do not fit {len(axes)} axes")
    total: dict[int, int] = {}
    for move, given in zip(moves, axes if x.ndim else (), strict=bool(x.ndim)):
        (axis,) = check_axes(x, (given,))
        total[axis] = total.get(axis, 0) + move
    tables = [Table(((np.arange(x.shape[axis]) - move) % x.shape[axis])[:, None])
              for axis, move in total.items()]
    return take_all(x, list(total), tables)

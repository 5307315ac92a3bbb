"""Tensors of one value and of sequences: constants inside a forward, arrays outside of one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.context import tracing
from fastnn.graph import Tensor, as_tensor, constant
from fastnn.ops.expand import expand
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape, sizes_of
from fastnn.spec import FLOAT, INDEX, Shape, ShapeError

Value = Any  # a Tensor inside a forward, an array outside


@operation()
def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Value:
    """A tensor of shape `size` whose elements all are `fill_value`: int64 for an integer.

    Inside a forward it is a symbolic tensor, outside a NumPy array, as what begins a parameter.
    dtype: np.float32 or np.int64. Raises TypeError for others.

    >>> full((2, 3), 0.5).shape
    (2, 3)
    """
    whole = isinstance(fill_value, (int, np.integer)) and not isinstance(fill_value, bool)
    kind = dtype_of(dtype, INDEX if whole else FLOAT)
    shape = tuple(sizes_of((size,)))
    if min(shape, default=0) < 0:
        raise ShapeError(f"full: sizes must not be negative, got {shape}")
    return _filled(shape, fill_value, kind) if tracing() else np.full(shape, fill_value, kind)


@operation()
def zeros(*sizes: Any, size: Any = None, dtype: Any = None) -> Value:
    """Zeros, float32 by default. See `full`.

    >>> zeros(2, 3).shape
    (2, 3)
    """
    return full(sizes_of(sizes if size is None else (size,)), 0, dtype=dtype_of(dtype, FLOAT))


@operation()
def ones(*sizes: Any, size: Any = None, dtype: Any = None) -> Value:
    """Ones, float32 by default. See `full`.

    >>> ones(2, 3).shape
    (2, 3)
    """
    return full(sizes_of(sizes if size is None else (size,)), 1, dtype=dtype_of(dtype, FLOAT))


@operation()
def full_like(input: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """`fill_value` everywhere, with the shape and dtype of `input`.

    >>> from fastnn.graph import constant
    >>> full_like(constant(np.zeros((2, 3))), 0.5).shape
    (2, 3)
    """
    x = as_tensor(input)
    return _filled(x.shape, fill_value, dtype_of(dtype, x.dtype))


@operation()
def zeros_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Zeros with the shape and dtype of `input`."""
    return full_like(input, 0, dtype=dtype)


@operation()
def ones_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Ones with the shape and dtype of `input`."""
    return full_like(input, 1, dtype=dtype)


@operation("new_full")
def new_full(input: Any, size: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """`fill_value` everywhere, with a shape of its own and the dtype of `input`."""
    return _filled(tuple(sizes_of((size,))), fill_value, dtype_of(dtype, as_tensor(input).dtype))


@operation("new_zeros")
def new_zeros(input: Any, *size: Any, dtype: Any = None) -> Tensor:
    """Zeros with a shape of their own and the dtype of `input`."""
    return new_full(input, sizes_of(size), 0, dtype=dtype)


@operation("new_ones")
def new_ones(input: Any, *size: Any, dtype: Any = None) -> Tensor:
    """Ones with a shape of their own and the dtype of `input`."""
    return new_full(input, sizes_of(size), 1, dtype=dtype)


@operation()
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None) -> Value:
    """start, start + step, .. below `end`; with one number 0, 1, .. below it; int64 of integers.

    Raises ValueError for a step that does not lead to the end.

    >>> arange(1, 7, 2)
    array([1, 3, 5])
    """
    first, last = (0, start) if end is None else (start, end)
    whole = all(isinstance(value, (int, np.integer)) for value in (first, last, step))
    if not step or (last - first) / step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {first} to {last}")
    count = math.ceil((last - first) / step)
    values = first + step * np.arange(count)
    return _constant(values.astype(dtype_of(dtype, INDEX if whole else FLOAT)))


@operation()
def linspace(start: float, end: float, steps: int, *, dtype: Any = None) -> Value:
    """`steps` numbers at equal distances, from `start` to `end`.

    >>> linspace(0, 1, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    count = integer(steps, "steps", "a number from 0 on", 0)
    return _constant(np.linspace(start, end, count).astype(dtype_of(dtype, FLOAT)))


@operation()
def eye(n: int, m: int | None = None, *, dtype: Any = None) -> Value:
    """Ones on the diagonal of an n x m matrix (m = n by default), zeros elsewhere.

    >>> eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    rows = integer(n, "n", "a number from 0 on", 0)
    columns = rows if m is None else integer(m, "m", "a number from 0 on", 0)
    return _constant(np.eye(rows, columns, dtype=dtype_of(dtype, FLOAT)))


def dtype_of(dtype: Any, default: Any) -> Any:
    """float32 or int64, by default `default`; TypeError for another."""
    try:
        kind = np.dtype(default if dtype is None else dtype)
    except TypeError:
        kind = None
    if kind not in (FLOAT, INDEX):
        raise TypeError(f"dtype must be np.float32 or np.int64, got {dtype!r:.60}")
    return kind


def _filled(shape: Shape, value: Any, dtype: Any) -> Tensor:
    """One number, expanded: nothing of the shape's size stays in memory between steps."""
    one = constant(np.full((1,), value, dtype))
    return expand(one, shape) if shape else reshape(one, ())


def _constant(array: np.ndarray) -> Value:
    return constant(array) if tracing() else array

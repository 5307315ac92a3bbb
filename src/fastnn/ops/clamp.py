"""Values held between bounds, which are numbers or tensors."""

from __future__ import annotations

import math
from typing import Any

from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.binary import Binary, alike, is_number
from fastnn.ops.pointwise import Unary
from fastnn.ops.public import operation


def _bound(name: str, value: Any) -> float:
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{name}: a bound is NaN")
    return number


@operation("clamp", "clip")
def clamp(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """min(max(x, min), max), element by element; a bound that is None holds nothing.

    min, max: numbers, or tensors, also of integers, that are broadcast. The gradient is x's where
    it lies between the bounds, or on one; else that of the bound which was taken.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> clamp(constant(np.ones((2, 3))), -1, 1).shape
    (2, 3)
    """
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given")
    low, high = (-math.inf if min is None else min), (math.inf if max is None else max)
    if is_number(low) and is_number(high):
        bounds = _bound("clamp: min", low), _bound("clamp: max", high)
        return apply(Unary("clamp", bounds), as_tensor(input))
    x = input if min is None else clamp_min(input, min)
    return x if max is None else clamp_max(x, max)


@operation("clamp_min")
def clamp_min(input: Any, min: Any) -> Tensor:
    """max(x, min), element by element; min is a number or a tensor, as for `clamp`."""
    if is_number(min):
        return clamp(input, min=min)
    return apply(Binary("clamp_min"), *alike(input, as_float(min)))


@operation("clamp_max")
def clamp_max(input: Any, max: Any) -> Tensor:
    """min(x, max), element by element; max is a number or a tensor, as for `clamp`."""
    if is_number(max):
        return clamp(input, max=max)
    return apply(Binary("clamp_max"), *alike(input, as_float(max)))

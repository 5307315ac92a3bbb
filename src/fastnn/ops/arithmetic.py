"""Arithmetic that is composed of the rows of the pointwise tables, under PyTorch's names."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import integer, real
from fastnn.graph import Tensor, apply, as_tensor, constant
from fastnn.ops.binary import Binary, add, affine, div, is_number, mul, sub
from fastnn.ops.pointwise import FUNCTIONS, Unary
from fastnn.ops.public import operation


@operation("true_divide")
def true_divide(input: Any, other: Any) -> Tensor:
    """input / other."""
    return div(input, other)


@operation()
def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return sub(other, input, alpha=alpha)


@operation("neg", "negative")
def neg(input: Any) -> Tensor:
    """-x."""
    return affine(as_tensor(input), -1.0)


@operation("positive")
def positive(input: Any) -> Tensor:
    """x itself."""
    return as_tensor(input)


@operation("sgn")
def sgn(input: Any) -> Tensor:
    """1, -1 or 0 by the sign of x; `sign`."""
    return FUNCTIONS["sign"](input)


@operation("round")
def round(input: Any, *, decimals: int = 0) -> Tensor:
    """x rounded to whole numbers, halves to the even one; no gradient passes.

    decimals: how many digits after the point stay; below 0, how many before it become 0.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> round(constant(np.ones((2, 3))), decimals=2).shape
    (2, 3)
    """
    places = integer(decimals, "round: decimals", "a whole number from -30 to 30", -30, 30)
    x = as_tensor(input)
    if not places:
        return apply(Unary("round"), x)
    ten = constant(10.0 ** abs(places))
    if places > 0:
        return apply(Binary("div"), apply(Unary("round"), mul(x, ten)), ten)
    return mul(apply(Unary("round"), apply(Binary("div"), x, ten)), ten)


@operation("lerp")
def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """input + weight (end - input); weight is a number or a tensor, all are broadcast.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> lerp(constant(np.zeros(3)), np.ones(3), 0.25).shape
    (3,)
    """
    way = sub(end, input)
    if is_number(weight) and real(weight, "lerp: weight") >= 0.5:  # exact at a weight of 1
        return sub(end, way, alpha=1.0 - float(weight))
    return add(input, mul(way, weight))


@operation("addcmul")
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2, broadcast."""
    return add(input, mul(tensor1, tensor2), alpha=real(value, "addcmul: value"))


@operation("addcdiv")
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2, broadcast."""
    return add(input, div(tensor1, tensor2), alpha=real(value, "addcdiv: value"))

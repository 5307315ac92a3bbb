"""Stochastic depth: zero whole examples of a residual branch (Huang et al., 2016)."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import choice, flag, real
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import affine, mul
from fastnn.ops.compare import ge
from fastnn.ops.public import operation
from fastnn.ops.random import draw
from fastnn.spec import ShapeError

MODES = ("batch", "row")


@operation()
def stochastic_depth(input: Any, p: float, mode: str, training: bool = True) -> Tensor:
    """input with whole examples zeroed at random, the others divided by 1 - p.

    p: the probability that an example (a row) is zeroed. mode: "row" draws for each example, along
    the first axis; "batch" draws once for all. Without `training` it is the input itself. As
    torchvision.ops.stochastic_depth. Raises ShapeError for rows of a scalar.

    Source: Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", 2016.

    >>> import numpy as np
    >>> stochastic_depth(np.ones((2, 3, 4, 4)), 0.2, "row").shape
    (2, 3, 4, 4)
    """
    x = as_tensor(input)
    p = real(p, "stochastic_depth's probability p", "a number from 0 to 1", 0, 1)
    rows = choice(mode, "stochastic_depth: mode", MODES) == "row"
    if rows and not x.ndim:
        raise ShapeError("stochastic_depth: a scalar has no rows; expected (batch, ...)")
    if p == 0.0 or not flag(training, "training"):
        return x
    if p == 1.0:
        return affine(x, 0.0)
    leading = x.shape[:1] if rows else (1,) * min(x.ndim, 1)
    survives = ge(draw("uniform", (*leading, *[1] * (x.ndim - 1))), p)
    return mul(x, affine(survives, 1 / (1 - p)))

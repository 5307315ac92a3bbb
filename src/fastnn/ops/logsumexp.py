"""The logarithm of a sum of exponentials over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arguments import flag
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import add, maximum, minimum, sub
from fastnn.ops.detach import detach
from fastnn.ops.extreme import amax
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduced_axes import axes_of, dropped
from fastnn.ops.reshape import reshape

LARGEST = 3e38  # what an infinite maximum is replaced by, so that no infinities are subtracted


@operation("logsumexp")
def logsumexp(input: Any, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """log Σ exp(x) over the axes `dim`, as accurate as x, however large its values are.

    -inf where all values are -inf or where there are none.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> logsumexp(constant(np.ones((4, 5))), 1).shape
    (4,)
    """
    x = as_tensor(input)
    axes = axes_of(x, dim)
    shape = dropped(x.shape, axes, flag(keepdim, "keepdim"))
    if x.spec.size == 0:
        return reshape(FUNCTIONS["log"](sum(x, axes, keepdim=True)), shape)
    largest = detach(amax(x, axes, keepdim=True))
    finite = maximum(minimum(largest, LARGEST), -LARGEST)
    total = sum(FUNCTIONS["exp"](sub(x, finite)), axes, keepdim=True)
    return reshape(add(FUNCTIONS["log"](total), finite), shape)

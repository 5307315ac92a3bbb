"""Whether all or any elements are not 0, and how many are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.graph import Tensor
from fastnn.ops.compare import eq, ne
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum

Dim = int | Sequence[int] | None


@operation("all")
def all(input: Any, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """1 where no element over the axes `dim` is 0, else 0, in float32; 1 for none. No gradient.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> all(constant(np.ones((4, 5))), 1).shape
    (4,)
    """
    return eq(sum(eq(input, 0), dim, keepdim), 0.0)


@operation("any")
def any(input: Any, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """1 where an element over the axes `dim` is not 0, else 0, in float32; 0 for none. No gradient.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> any(constant(np.ones((4, 5)))).shape
    ()
    """
    return ne(sum(ne(input, 0), dim, keepdim), 0.0)


@operation("count_nonzero")
def count_nonzero(input: Any, dim: Dim = None) -> Tensor:
    """How many elements over the axes `dim` are not 0, in float32, so exact up to 2^24.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> count_nonzero(constant(np.ones((4, 5))), 0).shape
    (5,)
    """
    return sum(ne(input, 0), dim)

"""Elements of one tensor or another, by a mask."""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import add, drop, is_number, keep
from fastnn.ops.compare import ne
from fastnn.ops.public import operation
from fastnn.spec import INDEX, ShapeError


def _mask(condition: Any) -> Tensor:
    """A mask as floats: any number that is not 0 counts as true."""
    mask = as_tensor(condition)
    return ne(mask, 0) if mask.dtype == INDEX else mask


@operation()
def where(condition: Any, input: Any, other: Any) -> Tensor:
    """input where the condition is not 0, else other; the three are broadcast.

    Infinities and NaN in what is not taken do no harm, in values and gradients. As a method it is
    `x.where(condition, other)`, as in PyTorch.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> x = constant(np.ones((2, 3)))
    >>> where(x > 0, x, 0.0).shape
    (2, 3)
    """
    mask = _mask(condition)
    parts = []
    for function, value in ((keep, input), (drop, other)):
        if not (is_number(value) and value == 0):
            parts.append(function(value, mask))
    if len(parts) == 2:
        return add(*parts)
    return parts[0] if parts else keep(0.0, mask)


def where_method(input: Any, condition: Any, other: Any) -> Tensor:
    """`where` as a method of tensors, whose tensor is what is kept."""
    return where(condition, input, other)


@operation("masked_fill")
def masked_fill(input: Any, mask: Any, value: Any) -> Tensor:
    """value where the mask is not 0, else input; the mask is broadcast.

    value: a number or a scalar. Raises ShapeError for other shapes.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> x = constant(np.ones((2, 3)))
    >>> masked_fill(x, x > 0, -1.0).shape
    (2, 3)
    """
    if not is_number(value) and as_tensor(value).ndim:
        raise ShapeError("masked_fill: value must be a number or a scalar, got shape "
                         f"{as_tensor(value).shape}")
    return where(mask, value, input)

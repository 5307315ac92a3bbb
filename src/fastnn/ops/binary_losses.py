"""Losses of two classes: the target is a probability, or -1 and 1."""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.binary import Binary, add, affine, broadcast_shape, mul
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean
from fastnn.ops.reduction import alike, broadcasting, floats, reduced, reduction_of
from fastnn.spec import ShapeError


def _times(name: str, losses: Tensor, weight: Any) -> Tensor:
    """Losses times a weight that broadcasts to them."""
    if weight is None:
        return losses
    (weight,) = floats(name, weight=weight)
    if broadcast_shape(name, losses.spec, weight.spec) != losses.shape:
        raise ShapeError(f"{name}: weight {weight.shape} does not broadcast to {losses.shape}")
    return mul(losses, weight)


@operation()
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-target log(input) - (1 - target) log(1 - input), of probabilities.

    Logarithms are at least -100, and the gradient's divisor input (1 - input) at least 1e-12, as in
    PyTorch. An input outside of [0, 1] gives NaN. For logits, binary_cross_entropy_with_logits is
    more accurate. input, target: of one shape. weight: anything that broadcasts to it. A scalar, or
    the shape of input with reduction="none".

    >>> import numpy as np
    >>> binary_cross_entropy(np.full((4, 1), 0.5), np.ones((4, 1))).shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = apply(Binary("bce"), *alike("binary_cross_entropy", input, target))
    return reduced(_times("binary_cross_entropy", losses, weight), reduction)


@operation()
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Any = None,
) -> Tensor:
    """-pos_weight target log p - (1 - target) log(1 - p) for p = sigmoid(input).

    Accurate for all logits. input, target: of one shape. weight, pos_weight: anything that
    broadcasts to it; a pos_weight above 1 favours recall. A scalar, or the shape of input with
    reduction="none".

    >>> import numpy as np
    >>> binary_cross_entropy_with_logits(np.zeros((4, 3)), np.ones((4, 3))).shape
    ()
    """
    name = "binary_cross_entropy_with_logits"
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = alike(name, input, target)
    if pos_weight is None:
        losses = apply(Binary("bce_logits"), input, target)
    else:
        softplus = FUNCTIONS["softplus"]
        right = _times(f"{name}: pos_weight", mul(target, softplus(affine(input, -1))), pos_weight)
        losses = add(right, mul(affine(target, -1, 1), softplus(input)))
    return reduced(_times(name, losses, weight), reduction)


@operation()
def soft_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target input)) for targets of -1 and 1.

    input, target: of shapes that broadcast. A scalar, or their shape with reduction="none".

    >>> import numpy as np
    >>> soft_margin_loss(np.zeros(4), np.ones(4)).shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = broadcasting("soft_margin_loss", input, as_float(target))
    return reduced(FUNCTIONS["softplus"](affine(mul(input, target), -1)), reduction)


@operation()
def multilabel_soft_margin_loss(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes, the last axis, of binary_cross_entropy_with_logits.

    input, target: (..., classes), of one shape. weight: one number for each class. A scalar, or
    the shape without classes with reduction="none".

    >>> import numpy as np
    >>> multilabel_soft_margin_loss(np.zeros((4, 3)), np.ones((4, 3)), reduction="none").shape
    (4,)
    """
    name = "multilabel_soft_margin_loss"
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = alike(name, input, as_float(as_tensor(target)))
    if not input.ndim:
        raise ShapeError(f"{name}: expected (..., classes), got shape {input.shape}")
    losses = _times(name, apply(Binary("bce_logits"), input, target), weight)
    return reduced(mean(losses, -1), reduction)

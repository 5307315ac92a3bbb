"""Losses of real numbers: squares, absolute values, and what is between them."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import real
from fastnn.graph import Tensor
from fastnn.ops.binary import affine, div, mul, sub
from fastnn.ops.clamp import clamp_max
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduction import broadcasting, floats, reduced, reduction_of
from fastnn.spec import ShapeError


def _weighted(name: str, losses: Tensor, weight: Any, input: Any, reduction: str) -> Tensor:
    """The reduction of losses times weights; a mean is over the weights."""
    (weight,) = floats(name, weight=weight)
    if weight.shape != input.shape:
        raise ShapeError(f"{name}: weight {weight.shape} must be of the shape of the input, "
                         f"{input.shape}")
    losses = mul(losses, weight)
    if reduction == "mean":
        return div(sum(losses), sum(weight))
    return reduced(losses, reduction)


@operation()
def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """(input - target)², as torch.nn.functional.mse_loss.

    input, target: of one shape; others that broadcast give a warning. weight: of the input's shape;
    the mean is then Σ weight (input - target)² / Σ weight. A scalar, or with reduction="none" the
    shape of the inputs. Raises ShapeError for others, and for a column beside a flat vector.

    >>> import numpy as np
    >>> mse_loss(np.zeros((4, 3)), np.ones((4, 3)), reduction="none").shape
    (4, 3)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = broadcasting("mse_loss", input, target)
    losses = FUNCTIONS["square"](sub(input, target))
    if weight is None:
        return reduced(losses, reduction)
    return _weighted("mse_loss", losses, weight, input, reduction)


@operation()
def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """|input - target|, as torch.nn.functional.l1_loss; its gradient at 0 is 0.

    Shapes and weight as of mse_loss.

    >>> import numpy as np
    >>> l1_loss(np.zeros(4), np.ones(4)).shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = broadcasting("l1_loss", input, target)
    losses = FUNCTIONS["abs"](sub(input, target))
    if weight is None:
        return reduced(losses, reduction)
    return _weighted("l1_loss", losses, weight, input, reduction)


def _huber(difference: Tensor, delta: float) -> Tensor:
    """d² / 2 for |d| below delta, then the line that continues it: c (|d| - c / 2)."""
    size = FUNCTIONS["abs"](difference)
    inside = clamp_max(size, delta)
    return mul(inside, sub(size, affine(inside, 0.5)))


@operation()
def smooth_l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d² / (2 beta) for |d| < beta, else |d| - beta / 2, where d = input - target.

    Shapes as of mse_loss. beta: from 0 on; with 0 it is l1_loss.
    Source: Girshick, "Fast R-CNN", 2015.

    >>> import numpy as np
    >>> smooth_l1_loss(np.zeros(4), np.ones(4), beta=0.5).shape
    ()
    """
    beta = real(beta, "smooth_l1_loss: beta", "a number from 0 on", 0)
    reduction = reduction_of(reduction, size_average, reduce)
    difference = sub(*broadcasting("smooth_l1_loss", input, target))
    if beta == 0:
        return reduced(FUNCTIONS["abs"](difference), reduction)
    return reduced(affine(_huber(difference, beta), 1 / beta), reduction)


@operation()
def huber_loss(
    input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None,
) -> Tensor:
    """d² / 2 for |d| < delta, else delta (|d| - delta / 2), where d = input - target.

    Shapes as of mse_loss. weight: of the input's shape; the mean is Σ weight loss / count, as
    PyTorch has it here.
    Source: Huber, "Robust estimation of a location parameter", 1964.

    >>> import numpy as np
    >>> huber_loss(np.zeros(4), np.ones(4), delta=0.5).shape
    ()
    """
    delta = real(delta, "huber_loss: delta", "a number above 0", above=0)
    reduction = reduction_of(reduction)
    input, target = broadcasting("huber_loss", input, target)
    losses = _huber(sub(input, target), delta)
    if weight is not None:
        losses = _weighted("huber_loss", losses, weight, input, "none")
    return reduced(losses, reduction)

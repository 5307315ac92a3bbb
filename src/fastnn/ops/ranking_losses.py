"""Losses of distances: two or three outputs that shall be near or far, or in an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.binary import add, affine, broadcast_shape, div, minimum, mul, pow, sub
from fastnn.ops.clamp import clamp_min
from fastnn.ops.compare import eq, ne
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduction import floats, reduced, reduction_of
from fastnn.spec import ShapeError


@operation()
def hinge_embedding_loss(
    input: Any, target: Any, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """input where the target is 1, max(0, margin - input) where it is -1; input is a distance.

    input, target: of shapes that broadcast; target floats or integers. A scalar, or their shape
    with reduction="none".

    >>> import numpy as np
    >>> hinge_embedding_loss(np.ones(4), np.array([1, -1, 1, -1])).shape
    ()
    """
    margin = real(margin, "hinge_embedding_loss: margin")
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = floats("hinge_embedding_loss", input=input, target=as_float(target))
    near = mul(ne(target, -1.0), input)
    far = mul(ne(target, 1.0), clamp_min(affine(input, -1, margin), 0))
    return reduced(add(near, far), reduction)


@operation()
def margin_ranking_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target (input1 - input2)): a target of 1 wants input1 above input2, -1 below.

    Inputs and target have the same number of axes and broadcast. A scalar, or their shape with
    reduction="none".

    >>> import numpy as np
    >>> margin_ranking_loss(np.ones(4), np.zeros(4), np.array([1, -1, 1, -1])).shape
    ()
    """
    name = "margin_ranking_loss"
    margin = real(margin, f"{name}: margin")
    reduction = reduction_of(reduction, size_average, reduce)
    input1, input2, target = floats(name, input1=input1, input2=input2, target=as_float(target))
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(f"{name}: input1 {input1.shape}, input2 {input2.shape} and target "
                         f"{target.shape} must have the same number of axes")
    return reduced(clamp_min(affine(mul(target, sub(input1, input2)), -1, margin), 0), reduction)


@operation()
def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where the target is 1, max(0, cos - margin) where it is -1.

    input1, input2: (batch, features) with target (batch,), or (features,) with a scalar target.
    Squares of lengths have 1e-12 added. A scalar, or the target's shape with reduction="none".

    >>> import numpy as np
    >>> cosine_embedding_loss(np.ones((4, 3)), np.ones((4, 3)), np.array([1, -1, 1, -1])).shape
    ()
    """
    name = "cosine_embedding_loss"
    margin = real(margin, f"{name}: margin")
    reduction = reduction_of(reduction, size_average, reduce)
    input1, input2, target = floats(name, input1=input1, input2=input2, target=as_float(target))
    both = broadcast_shape(name, input1.spec, input2.spec)
    if len(both) not in (1, 2) or target.shape != both[:-1]:
        raise ShapeError(f"{name}: inputs {input1.shape} and {input2.shape} with target "
                         f"{target.shape}; expected (batch, features) twice with (batch,), or "
                         "(features,) twice with a scalar")
    first, second = (affine(sum(FUNCTIONS["square"](x), -1), 1.0, 1e-12) for x in (input1, input2))
    cosine = div(sum(mul(input1, input2), -1), FUNCTIONS["sqrt"](mul(first, second)))
    near = mul(eq(target, 1.0), affine(cosine, -1, 1))
    far = mul(eq(target, -1.0), clamp_min(affine(cosine, 1.0, -margin), 0))
    return reduced(add(near, far), reduction)


def _distance(a: Tensor, b: Tensor, p: float, eps: float) -> Tensor:
    """The p-norm of a - b + eps along the last axis, whose gradient at a norm of 0 is 0."""
    size = FUNCTIONS["abs"](affine(sub(a, b), 1.0, eps))
    if p == 2:
        return _root(sum(FUNCTIONS["square"](size), -1), FUNCTIONS["sqrt"])
    if p == 1:
        return sum(size, -1)
    return _root(sum(pow(size, p), -1), lambda total: pow(total, 1 / p))


def _root(x: Tensor, root: Callable[[Tensor], Tensor]) -> Tensor:
    """A root of x whose gradient at 0 is 0: there it is root(1) - 1."""
    zero = eq(x, 0.0)
    return sub(root(add(x, zero)), zero)


@operation()
def triplet_margin_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """max(0, margin + |anchor - positive| - |anchor - negative|), in the p-norm of the last axis.

    Inputs: (..., features), with the same number of axes. eps is added to differences. swap: take
    the distance of positive and negative where it is smaller than that of anchor and negative. A
    scalar, or (...) with reduction="none".
    Source: Balntas, Riba, Ponsa and Mikolajczyk, "Learning local feature descriptors with triplets
    and shallow convolutional neural networks", 2016.

    >>> import numpy as np
    >>> triplet_margin_loss(*np.ones((3, 4, 8))).shape
    ()
    """
    p = real(p, "triplet_margin_loss: p", "a finite number above 0", above=0)
    eps = real(eps, "triplet_margin_loss: eps", "a number from 0 on", 0)
    reduction = reduction_of(reduction, size_average, reduce)
    return _triplet("triplet_margin_loss", (anchor, positive, negative),
                    lambda a, b: _distance(a, b, p, eps), margin, swap, reduction)


@operation()
def triplet_margin_with_distance_loss(
    anchor: Any, positive: Any, negative: Any, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:
    """triplet_margin_loss with a distance of one's own, a function of two tensors.

    distance_function: by default the length of the difference along the last axis.

    >>> import numpy as np
    >>> triplet_margin_with_distance_loss(*np.ones((3, 4, 8)), margin=0.5).shape
    ()
    """
    if distance_function is None:
        def distance_function(a: Tensor, b: Tensor) -> Tensor:
            return _distance(a, b, 2, 1e-6)
    if not callable(distance_function):
        raise TypeError("distance_function must be a function of two tensors, got "
                        f"{distance_function!r:.60}")
    return _triplet("triplet_margin_with_distance_loss", (anchor, positive, negative),
                    distance_function, margin, swap, reduction_of(reduction))


def _triplet(
    name: str, inputs: tuple[Any, Any, Any], distance: Callable[[Tensor, Tensor], Tensor],
    margin: float, swap: bool, reduction: str,
) -> Tensor:
    margin = real(margin, f"{name}: margin", "a number above 0", above=0)
    words = ("anchor", "positive", "negative")
    anchor, positive, negative = floats(name, **dict(zip(words, inputs, strict=True)))
    if not anchor.ndim == positive.ndim == negative.ndim or not anchor.ndim:
        raise ShapeError(f"{name}: anchor {anchor.shape}, positive {positive.shape} and negative "
                         f"{negative.shape} must have the same number of axes, one at least")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if flag(swap, "swap"):
        far = minimum(far, distance(positive, negative))
    return reduced(clamp_min(affine(sub(near, far), 1.0, margin), 0), reduction)

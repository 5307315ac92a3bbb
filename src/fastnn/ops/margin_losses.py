"""Hinge losses of classes: the right one shall lie above all others by a margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arguments import integer, real
from fastnn.graph import Tensor, apply_all, as_tensor, constant
from fastnn.ops.binary import affine, mul, sub
from fastnn.ops.class_loss import class_weight, rows_of_classes
from fastnn.ops.compare import eq, lt
from fastnn.ops.expand import expand
from fastnn.ops.matmul import matmul
from fastnn.ops.nll_loss import NLL
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduction import reduced, reduction_of
from fastnn.ops.reshape import reshape
from fastnn.spec import INDEX, ShapeError, check_float


def _at_class(x: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """x[row, target[row]] of each row; 0 where the target is ignore_index."""
    ones = class_weight("class", None, x.shape[1])
    rows, _, _ = apply_all(NLL("none", ignore_index, False), x, target, ones)
    return affine(rows, -1.0)


@operation()
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """Σ max(0, margin - x[target] + x[j])^p / classes over all other classes j.

    input: (batch, classes) or (classes,). target: class numbers, (batch,) or (). p: 1 or 2. weight:
    one for each class, which multiplies max(0, ...)^p by that of the target. A scalar, or the
    target's shape with reduction="none".

    >>> import numpy as np
    >>> multi_margin_loss(np.zeros((4, 3)), np.array([0, 1, 2, 0])).shape
    ()
    """
    name = "multi_margin_loss"
    p = integer(p, f"{name}: p", "1 or 2", 1, 2)
    margin = real(margin, f"{name}: margin")
    reduction = reduction_of(reduction, size_average, reduce)
    if as_tensor(input).ndim > 2:
        raise ShapeError(f"{name}: expected (batch, classes) or (classes,), got shape "
                         f"{as_tensor(input).shape}")
    shape = tuple(as_tensor(target).shape)
    x, rows = rows_of_classes(name, "input", input, target)
    rows, classes = reshape(rows, -1), x.shape[1]
    own = _one_hot(rows, classes)
    above = affine(sub(x, reshape(_at_class(x, rows, -1), -1, 1)), 1.0, margin)
    losses = FUNCTIONS["relu"](above)
    losses = sum(mul(FUNCTIONS["square"](losses) if p == 2 else losses, affine(own, -1, 1)), 1)
    if weight is not None:
        losses = mul(losses, sum(mul(own, class_weight(name, weight, classes)), 1))
    return reduced(reshape(affine(losses, 1 / classes), shape), reduction)


def _one_hot(target: Tensor, classes: int) -> Tensor:
    """1 at the target's class along a new last axis, else 0."""
    return eq(reshape(target, *target.shape, 1), constant(np.arange(classes)))


@operation()
def multilabel_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """Σ max(0, 1 - x[t] + x[j]) / classes over an example's classes t and all other classes j.

    input: (batch, classes) or (classes,). target: integers of that shape, the classes of an example
    and then -1; what comes after the first -1 does not count. A scalar, or (batch,) or () with
    reduction="none". It takes memory for batch * classes² numbers.

    >>> import numpy as np
    >>> multilabel_margin_loss(np.zeros((1, 4)), np.array([[3, 0, -1, 1]])).shape
    ()
    """
    name = "multilabel_margin_loss"
    reduction = reduction_of(reduction, size_average, reduce)
    x, target = as_tensor(input), as_tensor(target)
    check_float(f"{name}: input", x.spec)
    if x.ndim not in (1, 2) or target.shape != x.shape or target.dtype != INDEX:
        raise ShapeError(f"{name}: input {x.shape} and target {target.shape} ({target.dtype}); "
                         "expected (batch, classes) or (classes,) twice, and integers as target")
    shape, classes = x.shape[:-1], x.shape[-1]
    x, target = reshape(x, -1, classes), reshape(target, -1, classes)
    batch = x.shape[0]
    # How many of the first targets, this one too, are -1.
    before = matmul(lt(target, 0), constant(np.triu(np.ones((classes, classes), np.float32))))
    counts = reshape(eq(before, 0.0), batch, classes, 1)
    others = eq(sum(mul(_one_hot(target, classes), counts), 1, keepdim=True), 0.0)
    every = reshape(x, batch, 1, classes)
    own = _at_class(reshape(expand(every, batch, classes, classes), -1, classes),
                    reshape(target, -1), -1)
    above = affine(sub(every, reshape(own, batch, classes, 1)), 1.0, 1.0)
    losses = mul(mul(FUNCTIONS["relu"](above), counts), others)
    return reduced(reshape(affine(sum(losses, (1, 2)), 1 / classes), shape), reduction)

"""Losses of distributions: divergence, and negative log-likelihoods of counts and Gaussians."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from fastnn.arguments import flag, real
from fastnn.graph import Tensor
from fastnn.ops.binary import add, affine, div, mul, sub
from fastnn.ops.clamp import clamp_min
from fastnn.ops.compare import eq, gt
from fastnn.ops.detach import detach
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import sum
from fastnn.ops.reduction import REDUCTIONS, broadcasting, floats, reduced, reduction_of
from fastnn.ops.reshape import reshape
from fastnn.spec import ShapeError

KL_REDUCTIONS = (*REDUCTIONS, "batchmean")


@operation()
def kl_div(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target (log(target) - input), which is 0 at a target of 0; input holds log-probabilities.

    input, target: of one shape, (batch, ...). log_target: the target holds logarithms too.
    reduction: "batchmean", the sum divided by the batch, is the divergence of Kullback and Leibler
    ("On information and sufficiency", 1951); "mean" divides by the number of classes as well.

    >>> import numpy as np
    >>> kl_div(np.log(np.full((4, 2), 0.5)), np.full((4, 2), 0.5), reduction="batchmean").shape
    ()
    """
    reduction = reduction_of(reduction, size_average, reduce, KL_REDUCTIONS)
    input, target = broadcasting("kl_div", input, target)
    if flag(log_target, "log_target"):
        losses = mul(FUNCTIONS["exp"](target), sub(target, input))
    else:
        losses = sub(_times_own_log(target), mul(target, input))
    if reduction == "batchmean":
        return affine(sum(losses), 1 / (input.shape[0] if input.ndim else 1))
    return reduced(losses, reduction)


def _times_own_log(x: Tensor) -> Tensor:
    """x log(x), 0 at 0."""
    return mul(x, FUNCTIONS["log"](add(x, eq(x, 0.0))))


@operation()
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(var) + (input - target)² / var) / 2, where var is eps at least.

    input: the means; target of a shape that broadcasts with it. var: one variance for all, or of
    the shape of input, without its last axis, or with one axis of size 1; where it is below eps
    its gradient is that at eps, and a negative one gives NaN. full: add log(2 pi) / 2.
    Source: Nix and Weigend, "Estimating the mean and variance of the target probability
    distribution", 1994.

    >>> import numpy as np
    >>> gaussian_nll_loss(np.zeros((4, 2)), np.ones((4, 2)), np.ones((4, 1))).shape
    ()
    """
    name = "gaussian_nll_loss"
    eps = real(eps, f"{name}: eps", "a number above 0", above=0)
    full, reduction = flag(full, "full"), reduction_of(reduction)
    if isinstance(var, Real):
        var = real(var, f"{name}: var", "a number from 0 on", 0)
    input, target = broadcasting(name, input, target)
    (var,) = floats(name, var=var)
    if input.ndim and var.shape == input.shape[:-1]:
        var = reshape(var, *var.shape, 1)
    differing = [b for a, b in zip(input.shape, var.shape, strict=False) if a != b]
    if var.ndim and (var.ndim != input.ndim or differing not in ([], [1])):
        raise ShapeError(f"{name}: var {var.shape} does not fit input {input.shape}: expected its "
                         "shape, without the last axis or with one axis of size 1")
    # 0 * sqrt: NaN for a negative variance
    lift = add(sub(clamp_min(var, eps), var), affine(FUNCTIONS["sqrt"](var), 0.0))
    var = add(var, detach(lift))
    square = FUNCTIONS["square"](sub(input, target))
    losses = add(FUNCTIONS["log"](var), div(square, var))
    return reduced(affine(losses, 0.5, 0.5 * math.log(2 * math.pi) if full else 0.0), reduction)


@operation()
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, size_average: Any = None,
    eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Tensor:
    """exp(input) - target input, of logarithms of rates; or input - target log(input + eps).

    input, target: of shapes that broadcast. log_input: which of both input holds. full: add
    Stirling's log(target!) = target log(target) - target + log(2 pi target) / 2 for targets
    above 1. A scalar, or the shape of the inputs with reduction="none".

    >>> import numpy as np
    >>> poisson_nll_loss(np.zeros(4), np.ones(4)).shape
    ()
    """
    eps = real(eps, "poisson_nll_loss: eps", "a number from 0 on", 0)
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = broadcasting("poisson_nll_loss", input, target)
    log = FUNCTIONS["log"]
    if flag(log_input, "log_input"):
        losses = sub(FUNCTIONS["exp"](input), mul(target, input))
    else:
        losses = sub(input, mul(target, log(affine(input, 1.0, eps))))
    if flag(full, "full"):
        many = clamp_min(target, 1.0)  # so that no logarithm of 0 is multiplied by 0
        stirling = add(sub(mul(many, log(many)), many), affine(log(affine(many, 2 * math.pi)), 0.5))
        losses = add(losses, mul(stirling, gt(target, 1.0)))
    return reduced(losses, reduction)

"""Mean squared error, composed of pointwise operations and a mean."""

from __future__ import annotations

from typing import Any

from fastnn.arguments import choice
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.binary import sub
from fastnn.ops.cross_entropy import REDUCTIONS
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.public import operation
from fastnn.ops.reduce import mean, sum
from fastnn.spec import INDEX, ShapeError, check_float


@operation()
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """(input - target)², as torch.nn.functional.mse_loss; both of one shape."""
    input, target = as_tensor(input), as_tensor(target)
    if input.shape != target.shape:
        hint = ("; write y[:, None]" if input.shape == (*target.shape, 1) else
                "; write output[:, 0]" if input.shape[1:] == (1,) else
                "; class numbers are for cross_entropy" if target.dtype == INDEX else "")
        raise ShapeError(f"mse_loss: input {input.shape} and target {target.shape} must be alike"
                         f"{hint}")
    check_float("mse_loss: input", input.spec)
    check_float("mse_loss: target", target.spec)
    square = FUNCTIONS["square"](sub(input, target))
    choice(reduction, "reduction", REDUCTIONS)
    return square if reduction == "none" else (mean if reduction == "mean" else sum)(square)

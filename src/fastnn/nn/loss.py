"""What losses are: modules of (output, target) that give a scalar."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import array_of
from fastnn.graph import Tensor
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer
from fastnn.ops.reduction import REDUCTIONS, reduction_of
from fastnn.spec import Spec


class _Loss(Module):
    """A loss whose mean is over the values of its target, of the output's shape.

    `count` and `target_spec` tell the engine what it needs to know of any loss: how a batch weighs,
    and what target an output asks for. A loss of several outputs is called with them one by one, or
    as PyTorch does not have it, with a tuple and the target: so it fits a model that returns them.
    """

    reductions: ClassVar[tuple[str, ...]] = REDUCTIONS
    joins_outputs = False  # whether `target_spec` takes the specs of all of a model's outputs

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.reduction = reduction_of(reduction, size_average, reduce, self.reductions)

    def count(self, target: Any) -> float:
        """The number of values that the mean is over: the weight of a batch."""
        return float(np.size(target))

    def target_spec(self, output: Spec) -> Spec:
        """The spec of the target for an output."""
        return output


def buffer_of(weight: Any, name: str = "weight") -> Buffer | None:
    """A weight as a buffer of floats; None stays None."""
    if weight is None:
        return None
    if isinstance(weight, Tensor):
        raise TypeError(f"{name} must be an array of numbers, got a symbolic tensor; a loss is "
                        "made first and called then: nn.BCELoss()(output, target)")
    array = array_of(weight, name)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    return Buffer(array.astype(np.float32))


def class_weights(weight: Any, loss: str) -> Buffer | None:
    """One number for each class as a buffer; None stays None."""
    if weight is None:
        return None
    shape = getattr(weight, "shape", None) or array_of(weight, "weight").shape
    if hasattr(weight, "__tensor__") or len(shape) != 1:
        raise ValueError(f"weight must have one number for each class, got shape {shape}; a loss "
                         f"is made first and called then: nn.{loss}()(output, target)")
    array = array_of(weight, "weight")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"weight must have one number for each class, got dtype {array.dtype}")
    return Buffer(array.astype(np.float32))

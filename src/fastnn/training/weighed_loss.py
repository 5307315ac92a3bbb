"""A loss of which each example, or target, has a weight of its own.

The loss is Σ w l / Σ w over the losses l of the targets, where a class weight of the loss itself
multiplies w. The divisor is computed from the targets before the step, and the weights are divided
by it: so they are one more input of the same plan, and micro-batches add up.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.graph import as_tensor
from fastnn.metrics.metric import spread
from fastnn.nn.module import Module
from fastnn.ops.reduce import mean, sum
from fastnn.spec import ShapeError


class WeighedLoss(Module):
    """Σ w l of a loss's values l, one for each target; a target is (y, w).

    loss: a module with `reduction`, or a function with that argument. With reduction="none" it
    gives one value for each example, or several.

    Raises TypeError for a loss that cannot be weighed.
    """

    reduction = "sum"  # so that the losses of micro-batches add up

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss
        self._options = _options(loss)
        self._was = self._options["reduction"]
        self.joins_outputs = getattr(loss, "joins_outputs", False)
        ignored = self._options.get("ignore_index")
        self._of_classes = isinstance(ignored, (int, np.integer))
        if isinstance(ignored, (int, np.integer)):
            self.ignore_index = int(ignored)
        self._count = _own_count(loss)

    def forward(self, output: Any, target: Any) -> Any:
        y, weight = target
        losses = as_tensor(self._losses(output, y))
        if losses.shape[:weight.ndim] != weight.shape:
            raise ShapeError(f"the loss cannot be weighed: with reduction='none' it has shape "
                             f"{losses.shape}, expected one value, or several, for each of the "
                             f"weights {weight.shape}")
        inner = tuple(range(weight.ndim, losses.ndim))
        if inner:
            losses = (mean if self._is_uniform(y) else sum)(losses, inner)
        return sum(losses * weight)

    def _losses(self, output: Any, y: Any) -> Any:
        if not isinstance(self.loss, Module):
            return self.loss(output, y, reduction="none")
        loss = copy.copy(self.loss)  # with the parameters of the loss itself
        object.__setattr__(loss, "reduction", "none")
        return loss(output, y)

    def _is_uniform(self, y: Any) -> bool:
        """Whether an example counts once, whatever its targets are."""
        counts = self._of_classes and not isinstance(y, (tuple, dict)) and y.dtype.kind in "iu"
        return not counts and self._count is None and self._was in ("mean", "none")

    def normalized(self, y: Any, weight: np.ndarray) -> tuple[np.ndarray, float | None]:
        """(weights divided by the divisor of the mean, that divisor).

        weight: (n,), or of the shape of y. The divisor is None for a sum, which has none, and 0 if
        nothing counts.
        """
        if self._was == "sum":
            return np.ascontiguousarray(weight, np.float32), None
        divisor = self._divisor(y, weight.astype(np.float64))
        if divisor <= 0:
            return np.zeros(weight.shape, np.float32), 0.0
        return np.divide(weight, divisor).astype(np.float32), divisor

    def _divisor(self, y: Any, weight: np.ndarray) -> float:
        if self._count is not None and not isinstance(y, (tuple, dict)):
            each = [float(self._count(y[i:i + 1])) for i in range(len(y))]
            return float(weight.reshape(len(y), -1).mean(axis=1) @ np.array(each))
        if isinstance(y, (tuple, dict)) or not self._of_classes or (
                np.asarray(y).dtype.kind not in "iu"):
            return float(weight.sum())
        y = np.asarray(y)
        counts = (y != self.ignore_index).astype(np.float64)
        own = self._options.get("weight")
        if own is not None:
            counts *= np.asarray(getattr(own, "memory", own), np.float64).take(y, mode="clip")
        return float((spread(weight, y.shape, "the loss") * counts).sum())


def _options(loss: Any) -> dict[str, Any]:
    """The arguments of a loss that say how it reduces; "reduction" is among them.

    Raises TypeError for a loss without it.
    """
    if isinstance(loss, Module):
        options = {name: getattr(loss, name, None)
                   for name in ("reduction", "ignore_index", "weight")}
    else:
        try:
            parameters = inspect.signature(loss).parameters
        except (TypeError, ValueError):
            parameters = {}  # type: ignore[assignment]
        options = {name: parameter.default for name, parameter in parameters.items()}
    computed = isinstance(getattr(type(loss), "reduction", None), property)  # as of nn.Losses
    if computed or not isinstance(options.get("reduction"), str):
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TypeError(f"examples cannot be weighed with the loss {name}: it must be a module "
                        "with `reduction`, such as nn.CrossEntropyLoss(), or a function with that "
                        "argument, which gives the loss of each example with reduction='none'")
    return options


def _own_count(loss: Any) -> Callable[[Any], float] | None:
    """The method `count` of a user's loss; None for those of fastnn, which count by the rules here.
    """
    count = getattr(loss, "count", None)
    module = getattr(count, "__module__", "") or ""
    return None if count is None or module.partition(".")[0] == "fastnn" else count

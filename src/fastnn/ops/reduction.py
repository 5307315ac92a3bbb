"""How losses reduce, and what they ask of their inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastnn.arguments import choice
from fastnn.graph import Tensor, as_tensor
from fastnn.ops.as_float import as_float
from fastnn.ops.binary import broadcast_shape
from fastnn.ops.reduce import mean, sum
from fastnn.spec import INDEX, ShapeError, check_float

REDUCTIONS = ("none", "mean", "sum")


def reduction_of(reduction: Any, size_average: Any = None, reduce: Any = None,
                 choices: tuple[str, ...] = REDUCTIONS) -> str:
    """The reduction by name; of the deprecated arguments, if they are given, with a warning.

    >>> reduction_of("sum")
    'sum'
    """
    if size_average is None and reduce is None:
        return choice(reduction, "reduction", choices)
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if isinstance(value, str):
            raise TypeError(f"{name} is True, False or None: write reduction={value!r}")
        if not (value is None or isinstance(value, (bool, np.bool_))):  # another argument's place
            hint = ("a loss is made first and called then, as in nn.MSELoss()(output, target)"
                    if hasattr(value, "shape") else
                    "as in PyTorch, it stands before others; name those")
            raise TypeError(f"{name} is True, False or None, got {value!r:.60}: {hint}")
    word = "none" if reduce is not None and not reduce else (
        "mean" if size_average is None or size_average else "sum")
    warnings.warn(f"size_average and reduce are deprecated: write reduction={word!r}",
                  DeprecationWarning, stacklevel=3)
    return word


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean or their sum."""
    return losses if reduction == "none" else (mean if reduction == "mean" else sum)(losses)


def floats(name: str, **operands: Any) -> list[Tensor]:
    """Operands as tensors of floats; the error of others names them."""
    tensors = {word: as_tensor(value) for word, value in operands.items()}
    for word, tensor in tensors.items():
        check_float(f"{name}: {word}", tensor.spec)
    return list(tensors.values())


def alike(name: str, input: Any, target: Any) -> list[Tensor]:
    """Two tensors of one shape, or ShapeError; integers as target become floats."""
    input, target = as_tensor(input), as_tensor(target)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: input {input.shape} and target {target.shape} must be alike"
                         f"{_hint(input, target)}")
    return floats(name, input=input, target=as_float(target))


def broadcasting(name: str, input: Any, target: Any) -> list[Tensor]:
    """Two tensors of one shape; or, with PyTorch's warning, of shapes that broadcast.

    Integers as target become floats. A column beside a flat vector is refused: their broadcast
    compares all with all.
    """
    input, target = as_tensor(input), as_tensor(target)
    if input.shape != target.shape:
        hint = _hint(input, target)
        if hint or broadcast_shape(name, input.spec, target.spec) == ():
            raise ShapeError(f"{name}: input {input.shape} and target {target.shape} must be alike"
                             f"{hint}")
        warnings.warn(
            f"{name}: input {input.shape} and target {target.shape} differ and are broadcast, "
            "which is rarely meant", stacklevel=3)
    return floats(name, input=input, target=as_float(target))


def _hint(input: Tensor, target: Tensor) -> str:
    """What to write if a column and a flat vector meet, or class numbers and outputs."""
    if target.dtype == INDEX and input.dtype != INDEX:
        return "; class numbers are for cross_entropy"
    if input.shape == (*target.shape, 1):
        return "; write y[:, None]"
    if input.ndim and target.shape == (*input.shape, 1):
        return "; write y[:, 0]"
    return ""

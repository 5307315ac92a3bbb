"""Norms over the last axes: how layer norm and RMS norm find their rows in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from operator import index
from typing import Any, SupportsIndex

from fastnn.graph import Tensor, as_tensor
from fastnn.ops.permute import Permute, permute
from fastnn.ops.reshape import reshape
from fastnn.spec import Shape, ShapeError, Spec, check_float

CHANNELS_LAST = Permute((0, 2, 3, 1))  # of images; channels are last in their memory anyway


def normalized_sizes(name: str, value: Any) -> Shape:
    """normalized_shape as a tuple; one integer stands for one axis."""
    given = (value,) if isinstance(value, SupportsIndex) else value
    try:
        sizes = tuple(index(size) for size in given)
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ShapeError(f"{name}: normalized_shape must be one or more sizes of at least 1, "
                         f"got {value!r:.80}")
    return sizes


def check_rows(name: str, x: Spec, size: int) -> None:
    """Raise ShapeError unless x is float32 and consists of rows of so many values."""
    check_float(name, x)
    if math.prod(x.shape) % size:
        raise ShapeError(f"{name}: rows of {size} values do not fit input {x.shape}")


def checked(
    name: str, x: Tensor, normalized_shape: Any, **parameters: Any
) -> tuple[int, list[Tensor | None]]:
    """The number of axes to normalise over, and the parameters as tensors of their shape."""
    sizes = normalized_sizes(name, normalized_shape)
    if x.shape[x.ndim - len(sizes):] != sizes or x.ndim < len(sizes):
        raise ShapeError(f"{name}: input {x.shape} does not end in normalized_shape {sizes}")
    tensors = {key: None if value is None else as_tensor(value)
               for key, value in parameters.items()}
    for key, tensor in tensors.items():
        if tensor is not None and tensor.shape != sizes:
            raise ShapeError(f"{name}: {key} {tensor.shape} does not fit normalized_shape {sizes}")
    return len(sizes), list(tensors.values())


def over_last_axes(
    x: Tensor, axes: int, parameters: Sequence[Tensor], norm: Callable[..., Tensor]
) -> Tensor:
    """norm(x, *parameters), brought into an order where each row is one run of memory.

    Images whose channels were moved to the last axis (x.permute(0, 2, 3, 1), as in ConvNeXt) are
    normalised where they are, and the result is permuted: back to images, nothing is moved at all.
    """
    if x.ndim == 4 and axes == 1 and x.node.op == CHANNELS_LAST:
        return permute(norm(x.node.inputs[0], *parameters), CHANNELS_LAST.axes)
    if x.ndim == 4 and axes == 3:
        return norm(x, *(permute(values, 1, 2, 0) for values in parameters))
    if x.ndim == 4 and axes < 3:
        rows = reshape(x, math.prod(x.shape[:-axes]), math.prod(x.shape[-axes:]))
        return reshape(norm(rows, *parameters), x.shape)
    if x.ndim > 4 and axes == 4:
        parameters = [reshape(values, values.spec.size) for values in parameters]
    return norm(x, *parameters)

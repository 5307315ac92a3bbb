"""Max unpooling: values go back to the places that max pooling took them from."""

from __future__ import annotations

from typing import Any

from fastnn.graph import Tensor, apply, as_tensor
from fastnn.ops.images import as_batch, as_given
from fastnn.ops.max_places import PutAtPlaces
from fastnn.ops.public import operation
from fastnn.ops.reshape import reshape, sizes_of
from fastnn.ops.windows import numbers, strides_or_kernel
from fastnn.spec import INDEX, ShapeError


@operation()
def max_unpool2d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Each value at its place, 0 elsewhere, as torch.nn.functional.max_unpool2d.

    input, indices: values and int64 places, of one shape, as `max_pool2d(.., return_indices=True)`
    gives them. The image is (size - 1) stride - 2 padding + kernel_size long, or `output_size`,
    which may differ from that by less than stride: its two numbers, or a whole shape. Where
    several values have one place, the last one stays.

    Raises ShapeError for sizes that do not fit, ValueError for places from outside of the image.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> places = constant(np.zeros((1, 3, 4, 4), np.int64))
    >>> max_unpool2d(constant(np.zeros((1, 3, 4, 4))), places, 2).shape
    (1, 3, 8, 8)
    """
    return _unpool("max_unpool2d", input, indices, 2, kernel_size, stride, padding, output_size)


@operation()
def max_unpool1d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Each value at its place, 0 elsewhere, as torch.nn.functional.max_unpool1d.

    >>> import numpy as np
    >>> from fastnn.graph import constant
    >>> places = constant(np.zeros((1, 3, 4), np.int64))
    >>> max_unpool1d(constant(np.zeros((1, 3, 4))), places, 2).shape
    (1, 3, 8)
    """
    return _unpool("max_unpool1d", input, indices, 1, kernel_size, stride, padding, output_size)


def _unpool(
    name: str, input: Any, indices: Any, axes: int, kernel_size: Any, stride: Any, padding: Any,
    output_size: Any,
) -> Tensor:
    x, places = as_tensor(input), as_tensor(indices)
    if places.shape != x.shape or places.dtype != INDEX:
        raise ShapeError(f"{name}: indices must be int64 of the input's shape {x.shape}, got "
                         f"{places.dtype} of shape {places.shape}")
    images = as_batch(name, x, axes)
    kernel = numbers(kernel_size, "kernel_size", 1, axes)
    steps, pads = strides_or_kernel(stride, kernel), numbers(padding, "padding", 0, axes)
    usual = [(size - 1) * step - 2 * pad + k for size, step, pad, k in
             zip(x.shape[-axes:], steps, pads, kernel, strict=True)]
    size = usual if output_size is None else sizes_of((output_size,))
    if len(size) in (axes + 1, axes + 2):
        size = size[-axes:]
    if len(size) != axes or any(
            abs(own - given) >= step for own, given, step in zip(usual, size, steps, strict=True)):
        raise ShapeError(f"{name}: output_size {output_size!r:.60} is not within a stride {steps} "
                         f"of {tuple(usual)}")
    height, width = (1, *size)[-2:]
    y = apply(PutAtPlaces((height, width)), images, reshape(places, images.shape))
    return as_given(y, x, axes)
